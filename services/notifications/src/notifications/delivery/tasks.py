"""The two kinds of sending: `deliver_qr` brings the code to the buyer, the others say how things stand."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from notifications.delivery.cache import Contact
from notifications.delivery.sending import EmailSender, MailJob, Settled
from notifications.emails import (
    KINDS,
    ActivationCodeEmail,
    NoteEmail,
    ProfileWithReceipt,
    Rendered,
    Storefront,
    Words,
    render_note,
    render_qr,
    written,
)
from shared.contracts import DeliveryFailed, OrderEvent, ProfileGenerated, QrDelivered
from shared.contracts.notifications import Channel
from shared.database import Tx
from shared.sealed import Opener
from shared.values.activation_code import ActivationCode


def qr_delivered(fact: ProfileGenerated, channel: Channel, at: datetime) -> QrDelivered:
    """The fact that the code reached the buyer."""
    return QrDelivered(**order_fields(fact), channel=channel, paid_at=fact.paid_at, delivered_at=at)


def delivery_failed(fact: ProfileGenerated, code: int, enhanced: str | None, at: datetime) -> DeliveryFailed:
    """The fact that the mailbox does not take the code; codes only."""
    return DeliveryFailed(**order_fields(fact), channel="email", smtp_code=code, enhanced_code=enhanced, failed_at=at)


def order_fields(fact: OrderEvent) -> dict[str, Any]:
    """What every fact about an order carries."""
    return {name: getattr(fact, name) for name in OrderEvent.model_fields}


class DeliverQr(MailJob):
    """The code by mail: a delivery (PO 3.4). Kinds: qr | resend."""

    kind = "deliver_qr"
    mail = "qr"

    def __init__(self, sending: EmailSender, opener: Opener) -> None:
        super().__init__(sending)
        self._opener = opener

    def fact_class(self, mail: str) -> type[OrderEvent]:  # noqa: ARG002 - both kinds are about the code
        """The profile."""
        return ProfileWithReceipt

    def render(self, mail: str, fact: Any, store: Storefront, contact: Contact, account: str) -> Rendered:  # noqa: ARG002 - both kinds look the same
        """Open the sealed code; raises CannotOpenError, InvalidValueError."""
        secret = fact.confirmation_code
        letter = ActivationCodeEmail(
            store,
            contact.language,
            contact.name,
            fact.order_number,
            plan=fact.plan,
            code=ActivationCode.parse(self._opener.open(fact.activation_code).decode("utf-8", "replace")),
            confirmation_code=None if secret is None else self._opener.open(secret).decode("utf-8", "replace"),
            iccid=fact.iccid,
            apn=fact.apn,
            valid_until=fact.valid_until.astimezone(ZoneInfo(store.time_zone)).date(),
            receipt_url=getattr(fact, "receipt_url", None),
            account=account,
        )
        return render_qr(letter)

    def tell(self, tx: Tx, settled: Settled, *, first: bool, trace: str | None) -> None:
        """Delivered, or refused with codes; nobody is told of a buyer who was erased."""
        fact = settled.fact
        if settled.state == "sent":
            if first:
                tx.publish(qr_delivered(fact, "email", settled.at), trace=trace)
        elif settled.refused is not None:
            code, enhanced = settled.refused.code, settled.refused.enhanced_code
            tx.publish(delivery_failed(fact, code, enhanced, settled.at), trace=trace)


#: Orders that nobody can pay have no page; and a code goes alone.
_NO_PAGE = frozenset({"held", "declined", "code"})


class SendNote(MailJob):
    """Every mail without an activation code (emails/rules/notes.py)."""

    kind = "mail"

    def fact_class(self, mail: str) -> type[OrderEvent]:
        """As the kind of mail says."""
        return KINDS[mail].fact

    def render(self, mail: str, fact: Any, store: Storefront, contact: Contact, account: str) -> Rendered:
        """In the buyer's language."""
        wanted = KINDS[mail]
        # What comes straight from a topic lacks only what may be added to it.
        full = fact if isinstance(fact, wanted.fact) else wanted.fact.model_construct(**dict(fact))
        words = Words(written(contact.language), ZoneInfo(store.time_zone))
        note = wanted.write(full, words)
        page = None if mail in _NO_PAGE else account
        return render_note(NoteEmail(store, contact.language, contact.name, fact.order_number, note=note, account=page))


class MailRefund(SendNote):
    """The news that the money goes back: a queue of its own, before the other mails."""

    kind = "mail_refund"
    mail = "refund"
