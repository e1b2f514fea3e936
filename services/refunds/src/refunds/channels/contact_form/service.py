"""Takes messages of contact forms in. What a stranger writes proves nothing: an agent reads it.

Where the message names an order together with its contact, that contact gets an e-mail, whose answer is proved.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from refunds.cases import NotAllowedError
from refunds.channels.contact_form.models import ContactMessage
from refunds.channels.rules.texts import text_of
from refunds.support_answers import SupportAnswers
from refunds.support_mail import FORM, Arrived, SupportMail, id_of, mail_of
from refunds.support_mail.rules.wishes import language_of
from shared.contracts import Language
from shared.database import Tx
from shared.ids import uuid_for
from shared.kernel.problems import LimitReachedError
from shared.signin.limits import reserve
from shared.values.email_address import mailbox_key

_WAIT = timedelta(minutes=15)


@dataclass(slots=True, frozen=True)
class ContactForm:
    """Works in the caller's transaction and never commits."""

    mail: SupportMail
    answers: SupportAnswers

    async def take(
        self, tx: Tx, storefront: str, message: ContactMessage, address: str | None, trace: str | None
    ) -> str:
        """Store a message for an agent; the outcome is for the metric. Raises LimitReachedError.

        `address`: the sender's network, whose messages are limited; None: the shop itself hands the message in.
        """
        mail = message.as_mail()
        if address is not None and not await self._may_write(tx, storefront, address, message):
            raise LimitReachedError(
                "form-messages",
                "Several messages came from here within 15 minutes; all are kept. Send this one later, or by e-mail.",
                again=_WAIT,
            )
        outcome = await self.mail.take(tx, Arrived(storefront, FORM, b""), mail, trace)
        row = await mail_of(tx, id_of(storefront, mail))
        if row is not None and row.order_number is not None and row.state == "waiting":
            await self._write_to_contact(tx, row, language_of(message.text), trace)
        return outcome

    async def _may_write(self, tx: Tx, storefront: str, address: str, message: ContactMessage) -> bool:
        """Count the message for its network, its mailbox, and both: others in one's name are others' networks."""
        mailbox = f"form {storefront} {mailbox_key(message.email)}"
        return await reserve(tx, f"form {address}", mailbox) is not None

    async def _write_to_contact(self, tx: Tx, order: Any, language: Language, trace: str | None) -> None:
        """Ask the contact of the order whether that was them, once a day. Nothing that the stranger wrote is in it."""
        answer_id = uuid_for("contact-form", str(order.order_id), tx.now.date().isoformat())
        text = text_of("form_message", language, order_number=order.order_number)
        with suppress(NotAllowedError):  # the buyer's data were erased, or no mails can be sent from here
            await self.answers.acknowledge(tx, order, answer_id, text, who=FORM, trace=trace)
