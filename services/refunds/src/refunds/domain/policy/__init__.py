"""Refund policies as data, and the pure decision: `decide(facts, policy) -> Decision`."""

from refunds.domain.policy.book import PolicyBook, UnknownPolicyError
from refunds.domain.policy.decision import Deadlines, Decision, Verdict
from refunds.domain.policy.engine import decide
from refunds.domain.policy.facts import (
    REQUEST_FIELDS,
    Delivery,
    Facts,
    Order,
    Price,
    Profile,
    Reason,
    Request,
    RequestField,
    Support,
    TopUp,
)
from refunds.domain.policy.model import Policy

__all__ = [
    "REQUEST_FIELDS",
    "Deadlines",
    "Decision",
    "Delivery",
    "Facts",
    "Order",
    "Policy",
    "PolicyBook",
    "Price",
    "Profile",
    "Reason",
    "Request",
    "RequestField",
    "Support",
    "TopUp",
    "UnknownPolicyError",
    "Verdict",
    "decide",
]
