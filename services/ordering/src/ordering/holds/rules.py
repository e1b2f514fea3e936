"""Fraud control at intake (PP 4.5): a few rules, each of which an agent can explain to the buyer.

A rule counts what came from one e-mail address, phone number or IP address within a day, this order included. An order
that breaks a rule is accepted and held: it cannot be paid until an agent has decided. A rule never refuses an order.
"""

from collections.abc import Mapping
from dataclasses import fields

from ordering.holds.models import Counts, Limits

_SENTENCES: Mapping[str, str] = {
    "orders_by_email": "more than {limit} orders from one e-mail address within 24 hours",
    "orders_by_phone": "more than {limit} orders under one phone number within 24 hours",
    "orders_by_ip": "more than {limit} orders from one network address within 24 hours",
    "emails_by_phone": "more than {limit} e-mail addresses under one phone number within 24 hours",
    "emails_by_ip": "more than {limit} e-mail addresses from one network address within 24 hours",
}


def broken_rules(counts: Counts, limits: Limits) -> tuple[str, ...]:
    """The names of the rules that an order breaks, in a fixed sequence; none for a usual order."""
    names = (count.name for count in fields(Counts))
    return tuple(name for name in names if getattr(counts, name) > getattr(limits, name))


def explain(rules: tuple[str, ...], limits: Limits) -> list[str]:
    """Describe the broken rules for the agent who decides."""
    return [_SENTENCES[rule].format(limit=getattr(limits, rule)) for rule in rules]
