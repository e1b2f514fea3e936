"""Fraud control at intake (PP 4.5): few rules, each of which an agent can explain to the buyer.

A rule counts what came from one e-mail, phone or address within a day, this order included. An order that trips one
is accepted and held before it can be paid, until an agent has looked; it is never refused by a rule.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from pydantic import BaseModel, Field


class Limits(BaseModel):
    """The most that looks usual within 24 hours. Above it the rule of that name strikes."""

    #: Orders from one e-mail address.
    orders_by_email: int = Field(20, ge=1)
    #: Orders under one phone number.
    orders_by_phone: int = Field(20, ge=1)
    #: Orders from one public IP address.
    orders_by_ip: int = Field(40, ge=1)
    #: E-mail addresses under one phone number.
    emails_by_phone: int = Field(5, ge=1)
    #: E-mail addresses from one public IP address.
    emails_by_ip: int = Field(20, ge=1)


@dataclass(frozen=True, slots=True)
class Counts:
    """What the last 24 hours saw, this order included; 0 where it cannot be counted (no public address)."""

    orders_by_email: int = 0
    orders_by_phone: int = 0
    orders_by_ip: int = 0
    emails_by_phone: int = 0
    emails_by_ip: int = 0


_SENTENCES: Mapping[str, str] = {
    "orders_by_email": "more than {limit} orders from one e-mail address within 24 hours",
    "orders_by_phone": "more than {limit} orders under one phone number within 24 hours",
    "orders_by_ip": "more than {limit} orders from one network address within 24 hours",
    "emails_by_phone": "more than {limit} e-mail addresses under one phone number within 24 hours",
    "emails_by_ip": "more than {limit} e-mail addresses from one network address within 24 hours",
}


def struck(counts: Counts, limits: Limits) -> tuple[str, ...]:
    """The names of the rules that strike, in a fixed order; none for a usual order."""
    names = (one.name for one in fields(Counts))
    return tuple(name for name in names if getattr(counts, name) > getattr(limits, name))


def explained(rules: tuple[str, ...], limits: Limits) -> list[str]:
    """The rules in words, for the agent who decides."""
    return [_SENTENCES[rule].format(limit=getattr(limits, rule)) for rule in rules]
