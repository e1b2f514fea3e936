"""Who is the buyer (I14): each order has a contact of its own, and orders are connected by a proved mailbox only.

A contact is *proved* when a link or code that was sent to its e-mail address came back. Requests that stop the use of
data (block, erase) reach every order that was placed with the mailbox. Requests that show or change data (export,
correction) reach only orders whose own contact is proved, because a stranger may have placed the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from ordering.contact.models import Channel, Correction
from shared.contracts import FieldError, Language
from shared.contracts.storefront import BuyerCompany
from shared.values.email_address import Email
from shared.values.phone import Phone
from shared.values.refusal import InvalidValueError

#: `block` includes lifting a block.
Act = Literal["correct", "export", "block", "erase"]
_EVERY_ORDER: frozenset[Act] = frozenset({"block", "erase"})


@dataclass(frozen=True, slots=True)
class Holder:
    """The contact of an order; of several orders for buyers from before release 1.1."""

    buyer_id: UUID
    email: str
    phone: str
    proved: bool
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The contact that a request is about, and the other contacts of the same shop and mailbox."""

    own: Holder
    others: Sequence[Holder] = ()

    @property
    def proved(self) -> bool:
        """Whether any order of the shop has proved this mailbox."""
        return self.own.proved or any(other.proved for other in self.others)

    @property
    def unproved(self) -> list[UUID]:
        """The contacts that a stranger may have submitted, the own one included; empty if the own one is proved."""
        if self.own.proved:
            return []
        return [self.own.buyer_id, *(other.buyer_id for other in self.others if not other.proved)]

    @property
    def own_alone(self) -> list[UUID]:
        """The buyer id of the order of the request, for what is that order's and not the person's."""
        return [self.own.buyer_id]

    def reach(self, act: Act) -> list[UUID]:
        """The buyer ids that a confirmed request reaches, the own one first. An unproved contact reaches itself."""
        if not self.own.proved:
            return [self.own.buyer_id]
        every = act in _EVERY_ORDER
        return [self.own.buyer_id, *(other.buyer_id for other in self.others if every or other.proved)]


def channel_of_correction(mailbox: Mailbox, fields: Sequence[str], *, shared: bool) -> Channel:
    """Choose where the code for a correction of these fields is sent. `shared`: several orders share the contact.

    To the mailbox if it is proved, because the phone was submitted with the order and may be a stranger's. To the
    mailbox also if orders share the contact, because the phone is the last order's and only the mailbox is common to
    all. Otherwise to the contact that is not being replaced; to the phone if both or neither are.
    """
    if mailbox.proved or shared:
        return "email"
    return "email" if "phone" in fields and "email" not in fields else "sms"


def correction_of(
    *,
    name: str | None,
    email: str | None,
    phone: str | None,
    language: Language | None,
    phone_region: str | None,
    company: BuyerCompany | None = None,
) -> Correction | list[FieldError]:
    """Bring new contact data to normal form; where that fails, name each wrong field. None leaves a field unchanged."""
    errors: list[FieldError] = []
    new_email, new_phone = None, None
    try:
        new_email = Email.parse(email) if email is not None else None
    except InvalidValueError as error:
        errors.append(FieldError(field="email", message=str(error)))
    try:
        new_phone = Phone.parse(phone, phone_region) if phone is not None else None
    except InvalidValueError as error:
        errors.append(FieldError(field="phone", message=str(error)))
    new_company = None
    try:
        new_company = None if company is None else company.checked()
    except InvalidValueError as error:
        errors.append(FieldError(field="company.number", message=str(error)))
    correction = Correction(
        name,
        new_email.text if new_email else None,
        new_email.key if new_email else None,
        new_phone.e164 if new_phone else None,
        language,
        new_company,
    )
    if not errors and not correction.fields:
        errors.append(FieldError(field="body", message="names nothing to change"))
    return errors or correction
