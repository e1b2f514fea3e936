"""Who is the buyer (I14): an order's contact is that order's own, and orders share nothing but a proved mailbox.

A contact is *proved* when a link or code that was mailed to its address came back. What is taken away from use (block,
erase) reaches every order that was placed with the mailbox. What is shown or changed (export, correction) reaches only
orders whose own contact is proved: a stranger may have placed the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

#: `block` stands for its lifting too.
Act = Literal["correct", "export", "block", "erase"]
_EVERY_ORDER: frozenset[Act] = frozenset({"block", "erase"})


@dataclass(frozen=True, slots=True)
class Holder:
    """The contact of an order (of several, for buyers from before each order had its own)."""

    buyer_id: UUID
    email: str
    phone: str
    proved: bool


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The contact that somebody asks about, and the others of the same shop and mailbox."""

    own: Holder
    others: Sequence[Holder] = ()

    @property
    def proved(self) -> bool:
        """Whether any order of the shop proves that this mailbox has a reader who buys here."""
        return self.own.proved or any(other.proved for other in self.others)

    @property
    def unproved(self) -> list[UUID]:
        """The contacts that a stranger may have submitted, the own one among them; none where the own one is proved."""
        if self.own.proved:
            return []
        return [self.own.buyer_id, *(other.buyer_id for other in self.others if not other.proved)]

    def reach(self, act: Act) -> list[UUID]:
        """The buyer ids that a confirmed act reaches, the own one first. An unproved contact reaches nobody else."""
        if not self.own.proved:
            return [self.own.buyer_id]
        every = act in _EVERY_ORDER
        return [self.own.buyer_id, *(other.buyer_id for other in self.others if every or other.proved)]


def channel_of_correction(mailbox: Mailbox, fields: Sequence[str], orders: int) -> Literal["sms", "email"]:
    """Where the code for a correction of these fields goes. `orders`: how many share this contact.

    To the mailbox where it is proved, for the phone came with the order and may be a stranger's; and where several
    orders share the contact, for the phone is the last order's and all of them agree on the mailbox alone. Where
    nothing is proved, what is not being replaced reaches the buyer; the phone where both are.
    """
    if mailbox.proved or orders > 1:
        return "email"
    return "email" if "phone" in fields and "email" not in fields else "sms"
