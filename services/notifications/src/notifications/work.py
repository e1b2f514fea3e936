"""Sending: `deliver_qr` brings the code to the buyer, `mail_refund` tells that the money goes back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from opentelemetry.trace import SpanKind
from prometheus_client import CollectorRegistry, Counter

from notifications.domain import activation, delivery
from notifications.domain.delivery import Accepted, Answer, Mail, Mailer, Refused
from notifications.domain.letters import QrLetter, RefundLetter, Rendered, Storefront
from notifications.domain.message import BadAddressError, message, recipient
from notifications.domain.render import render_qr, render_refund
from notifications.recent import Contact, Known, Recent
from notifications.settings import Settings
from shared.contracts import DeliveryFailed, ProfileGenerated, QrDelivered, RefundApproved
from shared.contracts.base import OrderEvent
from shared.database import Database, Tx
from shared.sealed import CannotOpenError, Opener
from shared.telemetry.tracing import Tracing
from shared.work import Done, Item, NeedsPersonError, NotNow, Unknown

E = TypeVar("E", bound=OrderEvent)
State = Literal["sent", "refused", "dropped"]
#: RFC 3463: bad destination mailbox address syntax.
_BAD_ADDRESS = Refused(553, "5.1.3")
_DUE = """
SELECT m.facts, c.name, c.email, c.language
FROM mails m LEFT JOIN contacts c ON c.buyer_id = m.buyer_id AND c.erased_at IS NULL
WHERE m.kind = :kind AND m.subject_id = :subject
"""
_SETTLE = """
UPDATE mails m SET state = r.state, smtp_code = r.code, enhanced_code = r.enhanced, settled_at = :now
FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:codes AS int[]), CAST(:enhanced AS text[]))
     AS r(subject_id, state, code, enhanced)
WHERE m.kind = :kind AND m.subject_id = r.subject_id AND m.state = 'due'
RETURNING m.subject_id
"""


@dataclass(frozen=True, slots=True)
class Settled(Generic[E]):
    """What became of a mail about this fact, and when."""

    fact: E
    state: State
    at: datetime
    refused: Refused | None = None


class Sending:
    """What all mails need to be sent, and what is counted."""

    def __init__(
        self,
        settings: Settings,
        mailer: Mailer,
        storefronts: Mapping[str, Storefront],
        database: Database,
        tracing: Tracing,
        registry: CollectorRegistry,
        recent: Recent,
    ) -> None:
        self.concurrency = settings.smtp_connections
        self.mailer = mailer
        self.domain = settings.mail_domain
        self.give_up_after = timedelta(seconds=settings.mail_give_up_seconds)
        self.storefronts = storefronts
        self.database = database
        self.tracing = tracing
        self.recent = recent
        self.mails = Counter("mails", "Mails settled, by kind and outcome", ["kind", "outcome"], registry=registry)
        self.uncertain = Counter(
            "mail_uncertain", "Mails accepted that an earlier, unanswered attempt may have sent too", registry=registry
        )


class _MailJob(Generic[E]):
    """Sends one kind of mail. The address is read when it is needed, so that a correction wins."""

    kind: str
    mail: str
    event_class: type[E]

    def __init__(self, sending: Sending) -> None:
        self._sending = sending
        self.concurrency = sending.concurrency

    def render(self, fact: E, store: Storefront, contact: Contact) -> Rendered:
        """The content; runs beside the event loop."""
        raise NotImplementedError

    def tell(self, tx: Tx, settled: Settled[E], trace: str | None) -> None:
        """Publish what came of it, where anybody waits for that."""

    async def perform(self, item: Item) -> Settled[E]:
        """Try once to hand the mail over."""
        known = await self._known(item)
        fact = known.fact
        store = self._sending.storefronts.get(fact.storefront)
        if store is None:
            raise NeedsPersonError(f"storefronts.toml has no entry for {fact.storefront}")
        if known.contact is None:
            return Settled(fact, "dropped", self._now())
        answer = await self._send(item, fact, store, known.contact)
        refused = self._judge(item, answer)
        if refused is not None:
            return Settled(fact, "refused", self._now(), refused)
        if item.uncertain:
            self._sending.uncertain.inc()
        return Settled(fact, "sent", self._now())

    async def _send(self, item: Item, fact: E, store: Storefront, contact: Contact) -> Answer:
        try:
            to = recipient(contact.name, contact.email)
        except BadAddressError:
            return _BAD_ADDRESS
        compose = partial(self._compose, item.key, fact, store, contact, to)
        attributes = {"mail.kind": self.mail, "server.address": "smtp"}
        with self._sending.tracing.span(f"mail {self.mail}", item.continues, SpanKind.CLIENT, attributes) as span:
            try:
                answer = await self._sending.mailer.send(Mail(store.address, to, compose))
            except (CannotOpenError, activation.NotAnActivationCodeError) as error:
                raise NeedsPersonError(f"the activation code cannot be read: {type(error).__name__}") from None
            span.set("mail.outcome", type(answer).__name__.lower())
            return answer

    def _compose(self, key: str, fact: E, store: Storefront, contact: Contact, to: Any) -> bytes:
        rendered = self.render(fact, store, contact)
        message_id = f"{key}.{self.mail}@{self._sending.domain}"
        return message(rendered, store, to, message_id=message_id, date=self._now())

    def _judge(self, item: Item, answer: Answer) -> Refused | None:
        """A final refusal, or None where it was accepted; raises what the work board understands otherwise."""
        match answer:
            case Accepted():
                return None
            case Refused():
                return answer
            case delivery.Uncertain():
                raise Unknown(answer.reason)
        if answer.refusal is not None and self._now() - item.created_at > self._sending.give_up_after:
            return answer.refusal
        raise NotNow(answer.reason)

    async def _known(self, item: Item) -> Known:
        subject, buyer = UUID(item.key), UUID(item.payload["buyer_id"])
        if (known := self._sending.recent.take(buyer, self.mail, subject)) is not None:
            return known
        async with self._sending.database.reading() as tx:
            row = (await tx.execute(_DUE, kind=self.mail, subject=subject)).one()
        contact = None if row.email is None else Contact(row.name, row.email, row.language)
        return Known(self.event_class.model_validate(row.facts), contact)

    async def record(self, tx: Tx, done: Sequence[Done[Settled[E]]]) -> None:
        """Settle the rows and tell the results; a mail that is settled already stays as it is."""
        ordered = sorted(done, key=lambda one: one.item.key)
        refusals = [one.result.refused for one in ordered]
        settled = await tx.execute(
            _SETTLE,
            now=tx.now,
            kind=self.mail,
            ids=[UUID(one.item.key) for one in ordered],
            states=[one.result.state for one in ordered],
            codes=[refused.code if refused else None for refused in refusals],
            enhanced=[refused.enhanced_code if refused else None for refused in refusals],
        )
        fresh = set(settled.scalars())
        for one in ordered:
            if UUID(one.item.key) in fresh:
                self._sending.mails.labels(self.mail, one.result.state).inc()
                self.tell(tx, one.result, one.item.continues)

    def _now(self) -> datetime:
        return self._sending.database.clock.now()


class DeliverQr(_MailJob[ProfileGenerated]):
    """The code by mail: a delivery (PO 3.4)."""

    kind = "deliver_qr"
    mail = "qr"
    event_class = ProfileGenerated

    def __init__(self, sending: Sending, opener: Opener) -> None:
        super().__init__(sending)
        self._opener = opener

    def render(self, fact: ProfileGenerated, store: Storefront, contact: Contact) -> Rendered:
        """Open the sealed code; raises CannotOpenError, NotAnActivationCodeError."""
        secret = fact.confirmation_code
        letter = QrLetter(
            store,
            contact.language,
            contact.name,
            fact.order_number,
            plan=fact.plan,
            code=activation.parse(self._opener.open(fact.activation_code).decode("utf-8", "replace")),
            confirmation_code=None if secret is None else self._opener.open(secret).decode("utf-8", "replace"),
            iccid=fact.iccid,
            apn=fact.apn,
            valid_until=fact.valid_until.astimezone(ZoneInfo(store.time_zone)).date(),
        )
        return render_qr(letter)

    def tell(self, tx: Tx, settled: Settled[ProfileGenerated], trace: str | None) -> None:
        """Delivered, or refused with codes; nobody is told of a buyer who was erased."""
        fact = settled.fact
        order = {name: getattr(fact, name) for name in OrderEvent.model_fields}
        if settled.state == "sent":
            delivered = QrDelivered(**order, channel="email", paid_at=fact.paid_at, delivered_at=settled.at)
            tx.publish(delivered, trace=trace)
        elif settled.refused is not None:
            code, enhanced = settled.refused.code, settled.refused.enhanced_code
            failed = DeliveryFailed(
                **order, channel="email", smtp_code=code, enhanced_code=enhanced, failed_at=settled.at
            )
            tx.publish(failed, trace=trace)


class MailRefund(_MailJob[RefundApproved]):
    """The news that the money goes back."""

    kind = "mail_refund"
    mail = "refund"
    event_class = RefundApproved

    def render(self, fact: RefundApproved, store: Storefront, contact: Contact) -> Rendered:
        """The decision in the buyer's language."""
        letter = RefundLetter(
            store,
            contact.language,
            contact.name,
            fact.order_number,
            amount=fact.amount,
            explanation=fact.explanation,
            clauses=tuple(f"{ground.document} {ground.clause}" for ground in fact.grounds),
            credited_by=fact.credited_by,
        )
        return render_refund(letter)
