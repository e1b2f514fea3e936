"""What all mails need to be sent, and what may come of it."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal
from uuid import UUID

from prometheus_client import CollectorRegistry, Counter

from notifications.clients.mail import Accepted, Answer, Mail, Mailer, Refused, Uncertain
from notifications.delivery.cache import Contact, DueEmail, RecentEmails
from notifications.delivery.lookup import Lookup
from notifications.delivery.rules import EVEN_IF_BLOCKED, is_over, is_pointless
from notifications.delivery.store import schedule
from notifications.emails import Links, Rendered, Signer, Storefront, message, recipient
from notifications.settings import Settings
from shared.contracts import OrderEvent
from shared.database import Database, Tx
from shared.sealed import CannotOpenError
from shared.tasks import NeedsPersonError, NotNow, Task, TaskResult, Unknown
from shared.telemetry.tracing import Tracing
from shared.values.refusal import InvalidValueError

State = Literal["sent", "refused", "dropped", "blocked"]
#: RFC 3463: bad destination mailbox address syntax.
_BAD_ADDRESS = Refused(553, "5.1.3")
#: The first delivery of a code counts (PO 3.4), by whatever channel.
_SETTLE = """
WITH settled AS (
  UPDATE mails m SET state = r.state, smtp_code = r.code, enhanced_code = r.enhanced, settled_at = :now
  FROM unnest(CAST(:kinds AS text[]), CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:codes AS int[]),
              CAST(:enhanced AS text[])) AS r(kind, subject_id, state, code, enhanced)
  WHERE m.kind = r.kind AND m.subject_id = r.subject_id AND m.state = 'due'
  RETURNING m.kind, m.subject_id, m.order_id, m.buyer_id, m.facts, m.state),
first AS (
  INSERT INTO orders AS o (order_id, order_number, storefront, buyer_id, delivered_at, channel)
  SELECT DISTINCT ON (order_id) order_id, facts->>'order_number', facts->>'storefront', buyer_id,
         CAST(:now AS timestamptz), 'email'
  FROM settled WHERE state = 'sent' AND kind IN ('qr', 'resend') ORDER BY order_id
  ON CONFLICT (order_id) DO UPDATE SET delivered_at = EXCLUDED.delivered_at, channel = EXCLUDED.channel
  WHERE o.delivered_at IS NULL
  RETURNING o.order_id)
SELECT s.kind, s.subject_id, f.order_id IS NOT NULL AS first FROM settled s LEFT JOIN first f USING (order_id)
"""


#: The contact's row is locked: a contact that lifts the block finds the mail withheld, or we find the block lifted.
_WITHHOLD = """
WITH locked AS (
  SELECT buyer_id, blocked FROM contacts WHERE buyer_id = ANY(CAST(:buyers AS uuid[])) ORDER BY buyer_id FOR SHARE)
UPDATE mails m SET state = 'blocked' FROM locked c,
  unnest(CAST(:kinds AS text[]), CAST(:ids AS uuid[])) AS r(kind, subject_id)
WHERE m.kind = r.kind AND m.subject_id = r.subject_id AND m.state = 'due' AND c.buyer_id = m.buyer_id AND c.blocked
RETURNING m.kind, m.subject_id
"""
#: A fact that was stored while its buyer was being erased.
_EMPTY = """
UPDATE mails m SET facts = '{}', trace = NULL FROM contacts c
WHERE m.kind = ANY(CAST(:kinds AS text[])) AND m.subject_id = ANY(CAST(:ids AS uuid[])) AND m.state = 'dropped'
  AND c.buyer_id = m.buyer_id AND c.erased_at IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a mail of this kind about this fact, and when."""

    kind: str
    subject_id: UUID
    fact: Any
    state: State
    at: datetime
    refused: Refused | None = None
    channel: Literal["email", "sms"] = "email"


class EmailSender:
    """What all mails need to be sent, and what is counted."""

    def __init__(
        self,
        settings: Settings,
        mailer: Mailer,
        storefronts: Mapping[str, Storefront],
        signers: Mapping[str, Sequence[Signer]],
        database: Database,
        tracing: Tracing,
        registry: CollectorRegistry,
        recent: RecentEmails,
    ) -> None:
        self.concurrency = settings.smtp_connections
        self.mailer = mailer
        self.domain = settings.mail_domain
        self.give_up_after = timedelta(seconds=settings.mail_give_up_seconds)
        self.storefronts = storefronts
        self.signers = signers
        self.links = new_links(settings)
        self.database = database
        self.lookup = Lookup(database)
        self.tracing = tracing
        self.recent = recent
        self.registry = registry
        self.mails = Counter("mails", "Mails settled, by kind and outcome", ["kind", "outcome"], registry=registry)
        self.uncertain = Counter(
            "mail_uncertain", "Mails accepted that an earlier, unanswered attempt may have sent too", registry=registry
        )


def new_links(settings: Settings) -> Links:
    """The links of this service. Raises ValueError where the key is not base64."""
    key = base64.b64decode(settings.link_key.get_secret_value(), validate=True)
    return Links(key, settings.public_url, settings.mail_domain)


class MailJob:
    """Sends mails. The address is read when it is needed, so that a correction wins."""

    kind: str
    #: The kind of mail where the item's key is only a subject.
    mail: str = ""

    def __init__(self, sending: EmailSender) -> None:
        self._sending = sending
        self.concurrency = sending.concurrency

    def fact_class(self, mail: str) -> type[OrderEvent]:
        """What a kind of mail is made from."""
        raise NotImplementedError  # abstract: each kind of mail says it

    def render(self, mail: str, fact: Any, store: Storefront, contact: Contact, account: str) -> Rendered:
        """The content; runs beside the event loop."""
        raise NotImplementedError  # abstract: as above

    def tell(self, tx: Tx, settled: Settled, *, first: bool, trace: str | None) -> None:
        """Publish what came of it, where anybody waits for that. `first`: the code had not been delivered before."""

    async def perform(self, task: Task) -> Settled:
        """Try once to hand the mail over."""
        mail, subject_id = self._named(task.key)
        known = await self._known(mail, subject_id)
        fact = known.fact
        if known.contact is None:
            return Settled(mail, subject_id, fact, "blocked" if known.withheld else "dropped", self._now())
        store = self._sending.storefronts.get(fact.storefront)
        if store is None:
            raise NeedsPersonError(f"storefronts.toml has no entry for {fact.storefront}")
        return await self.deliver(task, (mail, subject_id), fact, store, known.contact)

    async def deliver(
        self, task: Task, mailed: tuple[str, UUID], fact: Any, store: Storefront, contact: Contact
    ) -> Settled:
        """By mail. Raises what the task worker understands."""
        mail, subject_id = mailed
        answer = await self._send(task, mailed, fact, store, contact)
        refused = self._judge(task, answer)
        if refused is not None:
            return Settled(mail, subject_id, fact, "refused", self._now(), refused)
        if task.uncertain:
            self._sending.uncertain.inc()
        return Settled(mail, subject_id, fact, "sent", self._now())

    def _named(self, key: str) -> tuple[str, UUID]:
        mail, _, subject = key.rpartition(":")
        return mail or self.mail, UUID(subject)

    async def _send(
        self, task: Task, mailed: tuple[str, UUID], fact: OrderEvent, store: Storefront, contact: Contact
    ) -> Answer:
        try:
            to = recipient(contact.name, contact.email)
        except InvalidValueError:
            return _BAD_ADDRESS
        compose = partial(self._compose, mailed, fact, store, contact, to)
        kind = mailed[0]
        with self._sending.tracing.call("smtp", kind, task.continues, name=f"mail {kind}") as span:
            try:
                answer = await self._sending.mailer.send(Mail(self._sending.links.return_path(*mailed), to, compose))
            except (CannotOpenError, InvalidValueError) as error:
                raise NeedsPersonError(f"the activation code cannot be read: {type(error).__name__}") from None
            span.outcome = type(answer).__name__.lower()
            span.set("mail.outcome", span.outcome)
            return answer

    def _compose(
        self, mailed: tuple[str, UUID], fact: OrderEvent, store: Storefront, contact: Contact, to: Any
    ) -> bytes:
        now = self._now()
        account = self._sending.links.account(fact.order_id, contact.email, now)
        rendered = self.render(mailed[0], fact, store, contact, account)
        message_id = f"{mailed[1]}.{mailed[0]}@{self._sending.domain}"
        signers = self._sending.signers.get(fact.storefront, ())
        return message(rendered, store, to, message_id=message_id, date=now, signers=signers)

    def _judge(self, task: Task, answer: Answer) -> Refused | None:
        """A final refusal, or None where it was accepted; raises what the task worker understands otherwise."""
        match answer:
            case Accepted():
                return None
            case Refused():
                return answer
            case Uncertain():
                raise Unknown(answer.reason)
        if answer.refusal is not None and self._now() - task.created_at > self._sending.give_up_after:
            return answer.refusal
        raise NotNow(answer.reason)

    async def _known(self, mail: str, subject_id: UUID) -> DueEmail:
        if (known := self._sending.recent.take(mail, subject_id)) is not None:
            return DueEmail(known.fact, None) if is_over(known.fact, self._now()) else known
        row = await self._sending.lookup.row(mail, subject_id)
        if row.state != "due" or row.email is None:
            return DueEmail(None, None)
        fact = self.fact_class(mail).model_validate(row.facts)
        if is_pointless(mail, row._asdict(), fact) or is_over(fact, self._now()):
            return DueEmail(fact, None)
        if row.blocked and mail not in EVEN_IF_BLOCKED:
            return DueEmail(fact, None, withheld=True)
        return DueEmail(fact, Contact(row.name, row.email, row.language, row.phone))

    async def record(self, tx: Tx, done: Sequence[TaskResult[Settled]]) -> None:
        """Settle the rows and tell the results; a mail that is settled already stays as it is."""
        ordered = sorted(done, key=lambda one: (one.result.kind, one.result.subject_id.int))
        withheld = [one for one in ordered if one.result.state == "blocked"]
        if withheld:
            await self._withhold(tx, withheld)
            ordered = [one for one in ordered if one.result.state != "blocked"]
        results = [one.result for one in ordered]
        settled = await tx.execute(
            _SETTLE,
            now=tx.now,
            kinds=[result.kind for result in results],
            ids=[result.subject_id for result in results],
            states=[result.state for result in results],
            codes=[result.refused.code if result.refused else None for result in results],
            enhanced=[result.refused.enhanced_code if result.refused else None for result in results],
        )
        fresh = {(row.kind, row.subject_id): row.first for row in settled}
        for one in ordered:
            first = fresh.get((one.result.kind, one.result.subject_id))
            if first is not None:
                self._sending.mails.labels(one.result.kind, one.result.state).inc()
                self.tell(tx, one.result, first=first, trace=one.task.continues)
        dropped = [result for result in results if result.state == "dropped"]
        if dropped:
            kinds = sorted({result.kind for result in dropped})
            await tx.execute(_EMPTY, kinds=kinds, ids=[result.subject_id for result in dropped])

    async def _withhold(self, tx: Tx, done: Sequence[TaskResult[Settled]]) -> None:
        """PP 6.2: the mail waits until the block is lifted; where that has happened by now, it is due again."""
        results = [one.result for one in done]
        found = await tx.execute(
            _WITHHOLD,
            buyers=sorted({result.fact.buyer_id for result in results}),
            kinds=[result.kind for result in results],
            ids=[result.subject_id for result in results],
        )
        blocked = {(row.kind, row.subject_id) for row in found}
        for one in done:
            if (one.result.kind, one.result.subject_id) in blocked:
                self._sending.mails.labels(one.result.kind, "blocked").inc()
            else:
                fact = one.result.fact
                schedule(tx, one.result.kind, one.result.subject_id, fact.buyer_id, one.task.continues)

    def _now(self) -> datetime:
        return self._sending.database.clock.now()
