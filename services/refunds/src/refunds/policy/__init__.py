"""Refund policies as data, and the pure decision: `decide(facts, policy) -> Decision`."""

from refunds.policy.models.decision import Deadlines, Decision, Verdict
from refunds.policy.models.facts import (
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
from refunds.policy.models.policy import Policy
from refunds.policy.rules.book import PolicyBook, UnknownPolicyError
from refunds.policy.rules.engine import decide

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
