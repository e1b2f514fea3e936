"""Deciding a failed generation: approve the whole amount, for the clauses of the seller's policy (policies.md)."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from refunds.domain.calendar import add_business_days, end_of, local_day
from refunds.domain.policies import POLICIES, FailurePolicy
from shared.contracts import Explanation, Ground, Money

_MINOR_PER_MAJOR = 100


@dataclass(slots=True, frozen=True)
class PaidOrder:
    """The facts that the decision rests on."""

    order_number: str
    storefront: str
    paid: Money
    paid_at: datetime
    failed_at: datetime


@dataclass(slots=True, frozen=True)
class Decision:
    """An approval: how much, why, and by when. `pay_by` is a moment in UTC, `credited_by` a day at the seller's."""

    policy: str
    amount: Money
    grounds: tuple[Ground, ...]
    explanation: Explanation
    pay_by: datetime | None
    credited_by: date | None


def decide_generation_failure(order: PaidOrder, decided_at: datetime) -> Decision | None:
    """Approve the full paid amount; None where no clause of a policy we know does, so that a person must decide."""
    policy = POLICIES.get(order.storefront)
    if policy is None or not _in_time(policy, order):
        return None
    today = local_day(decided_at, policy.zone)
    pay_by = None
    if policy.pay_business_days is not None:
        pay_by = end_of(add_business_days(today, policy.pay_business_days), policy.zone)
    return Decision(
        policy=policy.policy,
        amount=order.paid,
        grounds=policy.grounds,
        explanation=_explanation(policy, order),
        pay_by=pay_by,
        credited_by=_credited_by(policy, today),
    )


def _in_time(policy: FailurePolicy, order: PaidOrder) -> bool:
    if policy.within_days is None:
        return True
    days = local_day(order.failed_at, policy.zone) - local_day(order.paid_at, policy.zone)
    return days <= timedelta(days=policy.within_days)


def _credited_by(policy: FailurePolicy, today: date) -> date | None:
    if policy.credit_business_days is not None:
        return add_business_days(today, policy.credit_business_days)
    if policy.credit_calendar_days is not None:
        return today + timedelta(days=policy.credit_calendar_days)
    return None


def _explanation(policy: FailurePolicy, order: PaidOrder) -> Explanation:
    amount = amount_text(order.paid)
    return Explanation(
        en=f"We are sorry: the eSIM for order {order.order_number} could not be made because of a technical failure "
        f"that has nothing to do with you. The full amount of {amount} goes back to you ({policy.cited_en}). "
        f"{policy.arrival_en}",
        ru=f"Нам жаль: eSIM для заказа {order.order_number} не удалось выпустить из-за технического сбоя, который "
        f"с вами не связан. Мы возвращаем полную сумму {amount} ({policy.cited_ru}). {policy.arrival_ru}",
    )


def amount_text(money: Money) -> str:
    """`5990.00 KZT`."""
    whole, rest = divmod(money.amount, _MINOR_PER_MAJOR)
    return f"{whole}.{rest:02d} {money.currency}"
