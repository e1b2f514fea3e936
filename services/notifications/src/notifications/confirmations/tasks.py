"""Codes by which buyers confirm their requests (PP 6.1, 6.2): by SMS where that was asked and works, else by mail.

The code stays sealed in the table until it is sent, and is taken out of it then.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from prometheus_client import Counter

from notifications.clients.mail import Accepted, NotNow, Refused, Uncertain
from notifications.clients.texting import Texter, TextMessage, message_id
from notifications.delivery import Contact, EmailSender, SendNote, Settled
from notifications.emails import OpenedConfirmation, Rendered, Storefront, Words, code_in_short, written
from shared.contracts import ConfirmationRequested, OrderEvent
from shared.database import Tx
from shared.sealed import CannotOpenError, Opener
from shared.tasks import NeedsPersonError, Task, TaskResult, Unknown
from shared.tasks import NotNow as Postponed

_SPENT = """
UPDATE mails m SET facts = m.facts - 'code', channel = COALESCE(r.channel, m.channel)
FROM unnest(CAST(:ids AS uuid[]), CAST(:channels AS text[])) AS r(subject_id, channel)
WHERE m.kind = 'code' AND m.subject_id = r.subject_id AND m.state <> 'due'
"""


class SendCode(SendNote):
    """`texter`: None where there is no SMS gateway; then all codes go by mail."""

    kind = "send_code"
    mail = "code"

    def __init__(self, sending: EmailSender, opener: Opener, texter: Texter | None) -> None:
        super().__init__(sending)
        self._opener = opener
        self._texter = texter
        self._texts = Counter(
            "sms", "Codes handed to the SMS gateway, by outcome", ["outcome"], registry=sending.registry
        )

    def fact_class(self, mail: str) -> type[OrderEvent]:  # noqa: ARG002 - there is one kind
        """The code, sealed."""
        return ConfirmationRequested

    async def deliver(
        self, task: Task, mailed: tuple[str, UUID], fact: Any, store: Storefront, contact: Contact
    ) -> Settled:
        """By SMS; by mail where that was asked for, there is no phone, or the phone cannot be reached."""
        if fact.channel == "sms" and contact.phone and self._texter is not None:
            settled = await self._by_sms(self._texter, task, fact, store, contact)
            if settled is not None:
                return settled
        return await super().deliver(task, mailed, fact, store, contact)

    async def _by_sms(
        self, texter: Texter, task: Task, fact: ConfirmationRequested, store: Storefront, contact: Contact
    ) -> Settled | None:
        """None where the gateway does not reach this number. Raises what the task worker understands."""
        words = Words(written(contact.language), ZoneInfo(store.time_zone))
        text = code_in_short(self._opened(fact), store.name, words)
        message = TextMessage(message_id(fact.confirmation_id), contact.phone or "", store.sms_sender, text)
        with self._sending.tracing.call("sms", "code", task.continues) as span:
            answer = await texter.send(message, span.traceparent or task.continues)
            span.outcome = type(answer).__name__.lower()
            span.set("sms.outcome", span.outcome)
        self._texts.labels(type(answer).__name__.lower()).inc()
        match answer:
            case Accepted():
                return Settled("code", fact.confirmation_id, fact, "sent", self._now(), channel="sms")
            case Refused():
                return None
            case NotNow():
                raise Postponed(answer.reason)
            case Uncertain():
                raise Unknown(answer.reason)

    def render(self, mail: str, fact: Any, store: Storefront, contact: Contact, account: str) -> Rendered:
        """Raises CannotOpenError."""
        return super().render(mail, self._opened(fact), store, contact, account)

    async def record(self, tx: Tx, done: Sequence[TaskResult[Settled]]) -> None:
        """Settle, and forget the codes."""
        await super().record(tx, done)
        results = sorted((one.result for one in done), key=lambda result: result.subject_id.int)
        await tx.execute(
            _SPENT,
            ids=[result.subject_id for result in results],
            channels=[result.channel if result.state == "sent" else None for result in results],
        )

    def _opened(self, fact: ConfirmationRequested) -> OpenedConfirmation:
        try:
            digits = self._opener.open(fact.code).decode("ascii", "replace")
        except CannotOpenError:
            raise NeedsPersonError("the code cannot be opened") from None
        return OpenedConfirmation.model_construct(**dict(fact), digits=digits)
