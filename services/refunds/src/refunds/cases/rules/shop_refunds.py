"""Refunds that a shop decides itself, in whole or in part, and refunds of what such a one has left (PO 6.3)."""

import hashlib

from refunds.cases.models.case import SHOP_DECISION, Case
from refunds.cases.models.file import CaseFile
from refunds.policy import Decision, Price
from refunds.policy.rules.texts import followed_by
from shared.contracts import Money
from shared.ids import uuid_for


def ground_of(storefront: str, key: str) -> str:
    """The ground of the case that stands for an idempotency key of a storefront."""
    return f"{SHOP_DECISION}:{uuid_for('shop refund', storefront, key)}"


def request_hash(amount: Money | None, reason: str) -> str:
    """The same for a repetition of the same request, and another for another request."""
    text = f"{'all' if amount is None else f'{amount.amount} {amount.currency}'}\x1f{reason}"
    return hashlib.sha256(text.encode()).hexdigest()


def returns_a_part(file: CaseFile, case: Case, money: Money) -> bool:
    """Whether the shop returns a part and the buyer keeps the eSIM: something of the payment is left afterwards."""
    return case.shop_amount_minor is not None and money.amount < file.left_minor


def within_what_is_left(file: CaseFile, case: Case, decision: Decision) -> Decision | None:
    """The decision with at most what is left of the payment; None where nothing is left.

    A surplus capture is a payment of its own.
    """
    if decision.refund is None or case.charge_id is not None:
        return decision
    money, left = decision.refund.money, file.left_minor
    if money.amount <= left:
        return decision
    if left <= 0:
        return None
    rest = Price.of(Money(amount=left, currency=money.currency))
    explanation = followed_by(decision.explanation, "rest_of_payment", rest=str(rest))
    return decision.model_copy(update={"refund": rest, "explanation": explanation})
