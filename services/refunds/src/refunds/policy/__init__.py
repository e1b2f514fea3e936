"""Refund policies as data, and the pure decision: `decide(facts, policy) -> Decision`."""

from refunds.policy.models.calendar import Calendar
from refunds.policy.models.decision import Deadlines, Decision, Verdict
from refunds.policy.models.facts import (
    REQUEST_FIELDS,
    Delivery,
    Facts,
    Order,
    Price,
    Profile,
    Request,
    Support,
    TopUp,
)
from refunds.policy.models.policy import Policy
from refunds.policy.rules.book import PolicyBook, UnknownPolicyError
from refunds.policy.rules.engine import decide
from refunds.policy.rules.order_policies import OrderPolicies
from shared.shops.policy import LAW, Reason, RequestField, Required

__all__ = [
    "LAW",
    "REQUEST_FIELDS",
    "Calendar",
    "Deadlines",
    "Decision",
    "Delivery",
    "Facts",
    "Order",
    "OrderPolicies",
    "Policy",
    "PolicyBook",
    "Price",
    "Profile",
    "Reason",
    "Request",
    "RequestField",
    "Required",
    "Support",
    "TopUp",
    "UnknownPolicyError",
    "Verdict",
    "decide",
]
