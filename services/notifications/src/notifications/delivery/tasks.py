"""Tasks that send emails: `deliver_qr` (the activation code), `mail_refund` (refund approved), `mail_reminder`
(reminders, one a day), `mail` (all others).

`EmailTask` shows the way of an email from top to bottom:

1. `perform` reads the event and the address at the moment of sending, so that a correction takes effect. An email that
   lost its purpose is dropped, and one of a blocked buyer is withheld.
2. `deliver` hands the email to the mail server and decides what the outcome means. Accepted: `sent`. Refused for good,
   or still refused for the time being after several days: `refused`. Everything else (a server that cannot be reached,
   an unknown outcome) is returned to the task worker, which tries again for as long as it takes.
3. `record` stores the state, once, and publishes what became of an activation code (PO 3.4).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from notifications.clients.mail import BAD_ADDRESS, Mail, MailNotSent, MailOutcome, MailRefused, outcome_label
from notifications.delivery import store
from notifications.delivery.context import DeliveryContext
from notifications.delivery.models import REMINDERS, Contact, DeliveryResult, EmailKey, EmailPayload
from notifications.delivery.reminders import admit
from notifications.delivery.rules import delivery_failed, open_code, qr_delivered
from notifications.emails import (
    KINDS,
    WITH_COMPANY,
    WITHOUT_LINK,
    ActivationCodeEmail,
    LocaleFormat,
    NoteEmail,
    ProfileWithReceipt,
    Recipient,
    Rendered,
    Storefront,
    Thread,
    list_headers,
    recipient,
    render_activation_code,
    render_note,
    with_links,
    with_words,
    written,
)
from shared.contracts import OrderEvent
from shared.database import Tx
from shared.outcomes import Done, NeedsPerson, NotDue, Outcome
from shared.sealed import CannotOpenError, Opener
from shared.tasks import Task, TaskResult
from shared.values.refusal import InvalidValueError


class EmailTask(ABC):
    """Sends one email. Subclasses say which event it is made from, render it, and publish what became of it."""

    kind: str
    payload = EmailPayload

    def __init__(self, context: DeliveryContext) -> None:
        self._context = context
        self.concurrency = context.concurrency

    @abstractmethod
    def event_class(self, email_kind: str) -> type[OrderEvent]:
        """The class of event that this kind of email is made from."""

    @abstractmethod
    def render(self, email_kind: str, event: Any, store: Storefront, contact: Contact, account: str) -> Rendered:
        """Render the content; runs in a thread. `account` is the link to the order's page."""

    async def perform(self, task: Task[EmailPayload]) -> Outcome[DeliveryResult]:
        """Read what is due, and deliver it if it still has a purpose."""
        email = EmailKey.of_task(task.kind, task.key)
        due = await self._context.reader.read(email, self.event_class(email.kind))
        if due.contact is None:
            now = self._context.now()
            return Done(DeliveryResult(email, due.event, "blocked" if due.withheld else "dropped", now))
        storefront = self._context.sender.storefronts.get(due.event.storefront)
        if storefront is None:
            return NeedsPerson(f"the shops' folder has no {due.event.storefront}")
        if email.kind in REMINDERS:
            zone = ZoneInfo(storefront.time_zone)
            match await admit(self._context.database, email, due.event.buyer_id, zone):
                case "drop":
                    return Done(DeliveryResult(email, due.event, "dropped", self._context.now()))
                case timedelta() as wait:
                    return NotDue(wait, "the mailbox had its email of the day")
        return await self.deliver(task, email, due.event, storefront, due.contact)

    async def deliver(
        self, task: Task[EmailPayload], email: EmailKey, event: Any, storefront: Storefront, contact: Contact
    ) -> Outcome[DeliveryResult]:
        """Hand the email to the mail server, and decide what the outcome means."""
        outcome = await self._hand_over(task, email, event, storefront, contact)
        now = self._context.now()
        refusal: MailRefused | None = None
        match outcome:
            case Done():
                if task.uncertain:
                    self._context.uncertain.inc()
                return Done(DeliveryResult(email, event, "sent", now))
            case MailRefused():
                refusal = outcome
            case MailNotSent() if now - task.created_at > self._context.give_up_after:
                refusal = outcome.refusal
        if refusal is None:
            return outcome
        return Done(DeliveryResult(email, event, "refused", now, refusal.smtp_code, refusal.enhanced_code))

    async def _hand_over(
        self, task: Task[EmailPayload], email: EmailKey, event: OrderEvent, storefront: Storefront, contact: Contact
    ) -> MailOutcome | NeedsPerson:
        try:
            to = recipient(contact.name, contact.email)
        except InvalidValueError:
            return BAD_ADDRESS
        mail = Mail(
            self._context.sender.return_path(*email), to, partial(self._compose, email, event, storefront, contact, to)
        )
        with self._context.tracing.call("smtp", email.kind, task.continues, name=f"mail {email.kind}") as span:
            try:
                outcome = await self._context.mailer.send(mail)
            except (CannotOpenError, InvalidValueError) as error:
                span.outcome = "failed"
                return NeedsPerson(f"the sealed code cannot be read: {type(error).__name__}")
            span.outcome = outcome_label(outcome)
            span.set("mail.outcome", span.outcome)
            return outcome

    def _compose(
        self, email: EmailKey, event: OrderEvent, storefront: Storefront, contact: Contact, to: Recipient
    ) -> bytes:
        now = self._context.now()
        sender = self._context.sender
        account = sender.links.account(event.order_id, contact.email, now)
        rendered = self.render(email.kind, event, storefront, contact, account)
        headers: tuple[str, ...] = ()
        if email.kind in REMINDERS:
            headers = list_headers(sender.links.unsubscribe(event.buyer_id, "reminders"))
        thread = self._thread(event)
        if thread is not None:
            headers = thread.headers
            rendered = replace(rendered, subject=thread.answering(rendered.subject))
        return sender.compose(
            rendered,
            event.storefront,
            to,
            kind=email.kind,
            subject_id=email.subject_id,
            date=now,
            headers=headers,
            order_id=event.order_id,
        )

    def _thread(self, event: OrderEvent) -> Thread | None:
        """The buyer's e-mail that this one answers; None: there is none, or it cannot be read."""
        sealed = getattr(event, "thread", None)
        if sealed is None:
            return None
        try:
            return Thread.model_validate_json(self._context.opener.open(sealed))
        except (CannotOpenError, ValidationError):
            return None

    async def record(self, tx: Tx, results: Sequence[TaskResult[DeliveryResult, EmailPayload]]) -> None:
        """Store what became of the emails, and publish it."""
        traces = {result.result.email: result.task.continues for result in results}
        deliveries = sorted((result.result for result in results), key=lambda delivery: delivery.email.subject_id.int)
        await self._withhold(tx, [delivery for delivery in deliveries if delivery.state == "blocked"], traces)
        settled = await store.settle(tx, [delivery for delivery in deliveries if delivery.state != "blocked"])
        for delivery in deliveries:
            first = settled.get(delivery.email)
            if first is not None:
                self._context.emails.labels(delivery.email.kind, delivery.state).inc()
                self.publish(tx, delivery, first=first, trace=traces[delivery.email])

    @abstractmethod
    def publish(self, tx: Tx, delivery: DeliveryResult, *, first: bool, trace: str | None) -> None:
        """Publish what became of an email. `first`: the activation code had not been delivered before."""

    async def _withhold(self, tx: Tx, deliveries: Sequence[DeliveryResult], traces: dict[EmailKey, str | None]) -> None:
        """PP 6.2: emails wait until the block is lifted. If it was lifted by now, they are due again."""
        if not deliveries:
            return
        withheld = await store.withhold(tx, deliveries)
        for delivery in deliveries:
            if delivery.email in withheld:
                self._context.emails.labels(delivery.email.kind, "blocked").inc()
            else:
                store.schedule(tx, delivery.email, delivery.event.buyer_id, traces[delivery.email])


class SendActivationCode(EmailTask):
    """Task `deliver_qr`: sends the activation code, which is a delivery (PO 3.4). Kinds of email: qr | resend."""

    kind = "deliver_qr"

    def __init__(self, context: DeliveryContext, opener: Opener) -> None:
        super().__init__(context)
        self._opener = opener

    def event_class(self, email_kind: str) -> type[OrderEvent]:  # noqa: ARG002 - both kinds are about the code
        """The generated profile."""
        return ProfileWithReceipt

    def render(self, email_kind: str, event: Any, store: Storefront, contact: Contact, account: str) -> Rendered:  # noqa: ARG002 - both kinds look the same
        """Open the sealed code and render it. Raises CannotOpenError, InvalidValueError."""
        code, confirmation_code = open_code(self._opener, event)
        return render_activation_code(
            ActivationCodeEmail(
                store,
                contact.language,
                contact.name,
                event.order_number,
                plan=event.plan,
                code=code,
                confirmation_code=confirmation_code,
                iccid=event.iccid,
                apn=event.apn,
                valid_until=event.valid_until.astimezone(ZoneInfo(store.time_zone)).date(),
                receipt_url=getattr(event, "receipt_url", None),
                account=account,
                company=contact.company,
            )
        )

    def publish(self, tx: Tx, delivery: DeliveryResult, *, first: bool, trace: str | None) -> None:
        """Publish QrDelivered for the first delivery, or DeliveryFailed with the mail server's codes."""
        if delivery.state == "sent" and first:
            tx.publish(qr_delivered(delivery.event, "email", delivery.at), trace=trace)
        elif delivery.state == "refused" and delivery.smtp_code is not None:
            failed = delivery_failed(delivery.event, delivery.smtp_code, delivery.enhanced_code, delivery.at)
            tx.publish(failed, trace=trace)


class SendNote(EmailTask):
    """Task `mail`: sends every email without an activation code. What each kind says: emails/rules/notes.py."""

    kind = "mail"

    def event_class(self, email_kind: str) -> type[OrderEvent]:
        """The event of this kind of email."""
        return KINDS[email_kind].event

    def render(self, email_kind: str, event: Any, store: Storefront, contact: Contact, account: str) -> Rendered:
        """Render it in the buyer's language, with an agent's words as they are. Raises CannotOpenError."""
        kind = KINDS[email_kind]
        # An event that comes straight from a topic lacks only the fields that may be added later (a receipt, ...).
        full = event if isinstance(event, kind.event) else kind.event.model_construct(**dict(event))
        note = kind.write(full, LocaleFormat(written(contact.language), ZoneInfo(store.time_zone)))
        note = with_links(note, email_kind, store, event.order_id)
        if (words := getattr(full, "words", None)) is not None:
            note = with_words(note, self._context.opener.open(words).decode())
        link = None if email_kind in WITHOUT_LINK else account
        off = self._context.sender.links.unsubscribe(event.buyer_id, "reminders") if email_kind in REMINDERS else None
        return render_note(
            NoteEmail(
                store,
                contact.language,
                contact.name,
                event.order_number,
                note=note,
                account=link,
                company=contact.company if email_kind in WITH_COMPANY else None,
                reminders_off=off,
            )
        )

    def publish(self, tx: Tx, delivery: DeliveryResult, *, first: bool, trace: str | None) -> None:
        """Do nothing: only what became of an activation code is published."""


class SendReminder(SendNote):
    """Task `mail_reminder`: sends reminders, in a queue of its own after the other emails."""

    kind = "mail_reminder"


class SendRefundNote(SendNote):
    """Task `mail_refund`: sends the news that money is refunded, in a queue of its own before the other emails."""

    kind = "mail_refund"
