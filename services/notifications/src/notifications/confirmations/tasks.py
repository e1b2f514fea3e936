"""Task `send_code`: sends the code by which a buyer confirms a request (PP 6.1, PP 6.2).

The code is sent by SMS if the request asks for that, a phone is stored and the gateway reaches it; otherwise by email.
It stays sealed in the table until it is sent, and is removed from the table then.
"""

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from prometheus_client import Counter

from notifications.clients.mail import outcome_label
from notifications.clients.sms import SmsGateway, TextMessage, message_id
from notifications.delivery import Contact, DeliveryContext, DeliveryResult, EmailKey, EmailPayload, SendNote
from notifications.emails import LocaleFormat, OpenedConfirmation, Rendered, Storefront, sms_text, written
from shared.contracts import ConfirmationRequested, OrderEvent
from shared.database import Tx
from shared.outcomes import Done, NeedsPerson, NotSent, Outcome, Refused, Unknown
from shared.sealed import CannotOpenError, Opener
from shared.tasks import Task, TaskResult

_REMOVE_CODES = """
UPDATE mails m SET facts = m.facts - 'code', channel = COALESCE(r.channel, m.channel)
FROM unnest(CAST(:ids AS uuid[]), CAST(:channels AS text[])) AS r(subject_id, channel)
WHERE m.kind = 'code' AND m.subject_id = r.subject_id AND m.state <> 'due'
"""


class SendConfirmationCode(SendNote):
    """The task. Without a `gateway` all codes are sent by email."""

    kind = "send_code"

    def __init__(self, context: DeliveryContext, opener: Opener, gateway: SmsGateway | None) -> None:
        super().__init__(context)
        self._opener = opener
        self._gateway = gateway
        self._messages = Counter(
            "sms", "Codes handed to the SMS gateway, by outcome", ["outcome"], registry=context.registry
        )

    def event_class(self, email_kind: str) -> type[OrderEvent]:  # noqa: ARG002 - there is one kind
        """The request to confirm, with the sealed code."""
        return ConfirmationRequested

    async def deliver(
        self, task: Task[EmailPayload], email: EmailKey, event: Any, storefront: Storefront, contact: Contact
    ) -> Outcome[DeliveryResult]:
        """Send by SMS; by email if that was requested, no phone is stored, or the gateway refuses the number."""
        try:
            opened = self._open(event)
        except CannotOpenError:
            return NeedsPerson("the code cannot be opened")
        if event.channel == "sms" and contact.phone and self._gateway is not None:
            match await self._text(self._gateway, task, opened, storefront, contact.phone, contact.language):
                case Done():
                    return Done(DeliveryResult(email, event, "sent", self._context.now(), channel="sms"))
                case Refused():
                    pass  # by email
                case outcome:
                    return outcome
        return await super().deliver(task, email, event, storefront, contact)

    async def _text(
        self,
        gateway: SmsGateway,
        task: Task[EmailPayload],
        event: OpenedConfirmation,
        storefront: Storefront,
        phone: str,
        language: str,
    ) -> Done[None] | Refused | NotSent | Unknown:
        text = sms_text(event, storefront.name, LocaleFormat(written(language), ZoneInfo(storefront.time_zone)))
        message = TextMessage(message_id(event.confirmation_id), phone, storefront.sms_sender, text)
        with self._context.tracing.call("sms", "code", task.continues) as span:
            outcome = await gateway.send(message, span.traceparent or task.continues)
            span.outcome = outcome_label(outcome)
            span.set("sms.outcome", span.outcome)
        self._messages.labels(span.outcome).inc()
        return outcome

    def render(self, email_kind: str, event: Any, store: Storefront, contact: Contact, account: str) -> Rendered:
        """Render the opened code. Raises CannotOpenError."""
        return super().render(email_kind, self._open(event), store, contact, account)

    async def record(self, tx: Tx, results: Sequence[TaskResult[DeliveryResult, EmailPayload]]) -> None:
        """Store what became of the codes, and remove them from the table."""
        await super().record(tx, results)
        deliveries = sorted((result.result for result in results), key=lambda delivery: delivery.email.subject_id.int)
        await tx.execute(
            _REMOVE_CODES,
            ids=[delivery.email.subject_id for delivery in deliveries],
            channels=[delivery.channel if delivery.state == "sent" else None for delivery in deliveries],
        )

    def _open(self, event: ConfirmationRequested) -> OpenedConfirmation:
        """Raises CannotOpenError."""
        digits = self._opener.open(event.code).decode("ascii", "replace")
        return OpenedConfirmation.model_construct(**dict(event), digits=digits)
