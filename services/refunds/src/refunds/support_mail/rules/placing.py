"""Decides where a mail belongs, from what it says and the orders that it may be about. Pure.

Unknown is a value: whose sender is not proved, or does not fit, is shown to an agent and changes nothing (I14).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from refunds.support_mail.models import Mail, Wish

#: Why a mail waits for an agent.
Why = Literal[
    "spoofed",
    "unproved",
    "not_theirs",
    "several_orders",
    "no_order",
    "unclear",
    "limit",
    "unreadable",
    "too_large",
    "message",
]


@dataclass(slots=True, frozen=True)
class Candidate:
    """An order that a mail may be about. `is_senders`: the contact on file is the mail's sender."""

    order_id: UUID
    buyer_id: UUID
    is_senders: bool
    #: Whether the mail names it: by its number, or by the tag of the letter that it answers.
    is_named: bool


@dataclass(slots=True, frozen=True)
class Place:
    """The order that a mail belongs to; or why an agent has to look, and the order that it seems to be about."""

    order: Candidate | None
    why: Why | None


def place_of(mail: Mail, wish: Wish, candidates: Sequence[Candidate]) -> Place:
    """Where the mail belongs. A named order counts before others of the same sender."""
    named = [one for one in candidates if one.is_named]
    if mail.proof != "proved":
        hint = named[0] if len(named) == 1 and named[0].is_senders else None
        return Place(hint, "spoofed" if mail.proof == "failed" else "unproved")
    own = [one for one in candidates if one.is_senders]
    own_named = [one for one in own if one.is_named]
    if len(own_named) == 1:
        return Place(own_named[0], None)
    if own_named:
        return Place(None, "several_orders")
    if named:
        return Place(None, "not_theirs")
    if len(own) == 1 and not wish.order_numbers:
        return Place(own[0], None)
    return Place(None, "several_orders" if own else "no_order")
