"""Fraud control at intake (PP 4.5): a few rules, each of which an agent can explain to the buyer.

A rule counts what came from one e-mail address, phone number or IP address within a day, this order included. An order
that breaks a rule is accepted and held: it cannot be paid until an agent has decided. A rule alone never refuses an
order; an order that breaks one is refused only beyond a limit of unpaid orders.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from uuid import UUID

from ordering.holds.models import Candidate, Counts, Limits, LimitsOf, Unpaid
from shared.shops.models import FraudLimits

_SENTENCES: Mapping[str, str] = {
    "orders_by_email": "more than {limit} orders from one e-mail address within 24 hours",
    "orders_by_phone": "more than {limit} orders under one phone number within 24 hours",
    "orders_by_ip": "more than {limit} orders from one network address within 24 hours",
    "emails_by_phone": "more than {limit} e-mail addresses under one phone number within 24 hours",
    "emails_by_ip": "more than {limit} e-mail addresses from one network address within 24 hours",
}


def limits_of(own: FraudLimits, usual: Limits) -> Limits:
    """A shop's own limits, and the usual ones where it has none."""
    return usual.model_copy(update=own.model_dump(exclude_none=True))


def highest(limits: Sequence[Limits]) -> Limits:
    """The highest of each limit: counting goes no further."""
    return Limits.model_construct(**{name: max(getattr(own, name) for own in limits) for name in Limits.model_fields})


def broken_rules(counts: Counts, limits: Limits) -> tuple[str, ...]:
    """The names of the rules that an order breaks, in a fixed sequence; none for a usual order."""
    names = (count.name for count in fields(Counts))
    return tuple(name for name in names if getattr(counts, name) > getattr(limits, name))


def explain(rules: tuple[str, ...], limits: Limits) -> list[str]:
    """Describe the broken rules for the agent who decides."""
    return [_SENTENCES[rule].format(limit=getattr(limits, rule)) for rule in rules]


def reached_limits(candidates: Sequence[Candidate], unpaid: Mapping[UUID, Unpaid], limits: LimitsOf) -> dict[UUID, str]:
    """The limits that new orders go beyond, by order. `unpaid`: of other transactions; earlier candidates count too."""
    reached: dict[UUID, str] = {}
    for index, candidate in enumerate(candidates):
        before, others = candidates[:index], unpaid[candidate.order_id]
        counts = {
            "unpaid_by_email": others.by_email + sum(_same_mailbox(candidate, other, others) for other in before),
            "unpaid_by_phone": others.by_phone + sum(_same_phone(candidate, other, others) for other in before),
            "unpaid_by_ip": others.by_ip + sum(_same_network(candidate, other) for other in before),
        }
        own = limits(candidate.storefront)
        beyond = [name for name, count in counts.items() if count >= getattr(own, name)]
        if beyond:
            reached[candidate.order_id] = beyond[0]
    return reached


def _same_mailbox(candidate: Candidate, other: Candidate, unpaid: Unpaid) -> bool:
    same = (candidate.storefront, candidate.mailbox_key) == (other.storefront, other.mailbox_key)
    return same and (not unpaid.owner or candidate.phone == other.phone or _same_network(candidate, other))


def _same_phone(candidate: Candidate, other: Candidate, unpaid: Unpaid) -> bool:
    return candidate.phone == other.phone and (not unpaid.owner or candidate.mailbox_key == other.mailbox_key)


def _same_network(candidate: Candidate, other: Candidate) -> bool:
    return candidate.network is not None and candidate.network == other.network
