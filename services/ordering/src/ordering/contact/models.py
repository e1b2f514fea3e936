"""Values of a buyer's contact data."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from shared.contracts import Company, Language, Purpose
from shared.values.email_address import mailbox_key

Channel = Literal["sms", "email"]
#: Through the shop, or on the order's account page by somebody who has its link. Each has limits of its own, so that a
#: caller who uses up the shop's requests does not block the buyer, who has the link.
RequestedBy = Literal["shop", "page"]


@dataclass(frozen=True, slots=True)
class Correction:
    """New values in normal form; None leaves a field as it is. `email_key` belongs to `email`."""

    name: str | None = None
    email: str | None = None
    email_key: str | None = None
    phone: str | None = None
    language: Language | None = None
    #: Of the order of the request alone: other orders of the mailbox may be a private person's. Only agents correct it.
    company: Company | None = None

    @property
    def fields(self) -> list[str]:
        """The names of the fields that change."""
        return [name for name in ("name", "email", "phone", "language", "company") if getattr(self, name) is not None]

    def packed(self) -> bytes:
        """The correction as JSON, to be sealed and stored until the code is entered."""
        names = (*self.fields, "email_key")
        return json.dumps({name: getattr(self, name) for name in names}).encode()

    @classmethod
    def unpacked(cls, packed: bytes) -> "Correction":
        """Read what `packed` returned."""
        return cls(**json.loads(packed))

    def of_another_mailbox(self, email: str) -> "Correction":
        """The correction without its e-mail address if that is only another spelling of the stored one."""
        return replace(self, email=None, email_key=None) if self.email_key == mailbox_key(email) else self


@dataclass(frozen=True, slots=True)
class OrderContact:
    """An order and what is stored of its contact. `erased`: the contact was erased, and nothing of it is stored."""

    order_id: UUID
    number: int
    storefront: str
    buyer_id: UUID
    trace: str | None
    erased: bool
    #: Several orders share the contact. Only buyers from before release 1.1 do.
    is_shared: bool


@dataclass(frozen=True, slots=True)
class Requester:
    """Who requests a code: the order that the request is about, its buyer, and the contact that receives the code."""

    order: OrderContact
    email: str
    phone: str
    #: The unproved contacts of its mailbox; empty if its own contact is proved.
    unproved: Sequence[UUID] = ()
    requested_by: RequestedBy = "shop"


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A request whose code was entered. `payload` is what was stored with the request, decrypted.

    `contact_hash` is of the contact that the code was sent to; None if the previous release sent the code.
    """

    confirmation_id: UUID
    order_id: UUID
    buyer_id: UUID
    purpose: Purpose
    channel: str
    payload: bytes | None
    contact_hash: bytes | None
