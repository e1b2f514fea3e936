"""Decides about orders: chooses the version of the policy, and handles money that the bank took twice."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from refunds.policy.models.calendar import Calendar
from refunds.policy.models.decision import Deadlines, Decision
from refunds.policy.models.facts import Facts, Price
from refunds.policy.models.policy import Policy
from refunds.policy.rules.book import PolicyBook, UnknownPolicyError
from refunds.policy.rules.engine import awaits_observation, decide, outranks_refusals
from refunds.policy.rules.texts import explained
from shared.contracts import Ground, Money

_UTC_WITHOUT_HOLIDAYS = Calendar(ZoneInfo("UTC"))


class OrderPolicies:
    """Decides about every order under the version that was in force when the order was paid (PO 3.3)."""

    def __init__(self, current: Callable[[], PolicyBook]) -> None:
        self._current = current

    @property
    def book(self) -> PolicyBook:
        """All versions in force now, and those that will be."""
        return self._current()

    def policy(self, storefront: str, paid_at: datetime) -> Policy | None:
        """The version for an order that was paid at this moment; None where the storefront has no policy."""
        try:
            return self.book.in_force(storefront, paid_at)
        except UnknownPolicyError:
            return None

    def calendar(self, storefront: str) -> Calendar:
        """The calendar of the seller; UTC without holidays where the storefront has no policy."""
        try:
            return self.book.versions(storefront)[-1].calendar
        except UnknownPolicyError:
            return _UTC_WITHOUT_HOLIDAYS

    def decide(self, facts: Facts, charge: Any = None) -> Decision | None:
        """The decision of the policy; None where there is no policy, so that a person must decide.

        `charge`: the row of a surplus capture. It is returned in full, whatever the policy says about refunds, because
        the seller sold one thing.
        """
        facts = self.with_delivery_limit(facts)
        policy = self.policy(facts.storefront, facts.order.paid_at)
        if charge is not None:
            return _surplus(facts, charge, policy)
        return None if policy is None else decide(facts, policy)

    def decision_of_shop(
        self, storefront: str, paid_at: datetime, money: Money, number: str, now: datetime
    ) -> Decision:
        """The shop's own decision to return money, which no policy demands; deadlines are those of the policy."""
        policy = self.policy(storefront, paid_at)
        pay_by, credited_by = (
            (None, None)
            if policy is None
            else (policy.after(policy.deadlines.pay_by, now), policy.after(policy.deadlines.credited_by, now))
        )
        price = Price.of(money)
        return Decision(
            verdict="approve",
            grounds=(Ground(document="PO", clause="6.3", text="The seller returns money by its own decision."),),
            refund=price,
            missing=(),
            policy=f"{storefront}@shop" if policy is None else policy.name,
            deadlines=Deadlines(pay_by=pay_by, credited_by=credited_by),
            explanation=explained("decided_by_shop", price=str(price), number=number),
        )

    def awaits_observation(self, facts: Facts) -> bool:
        """Whether a report of the operator could still change the verdict."""
        policy = self.policy(facts.storefront, facts.order.paid_at)
        return policy is not None and awaits_observation(self.with_delivery_limit(facts), policy)

    def outranks_refusals(self, facts: Facts) -> bool:
        """Whether the money is returned whatever the seller's text says (RF 2.4, RF 2.5)."""
        policy = self.policy(facts.storefront, facts.order.paid_at)
        return policy is not None and outranks_refusals(self.with_delivery_limit(facts), policy)

    def possible_decisions(self, unused: Facts, used: Facts) -> dict[str, Any]:
        """Verdict and clauses for both cases, while it is not known whether the profile is used."""
        decisions = (("if_unused", self.decide(unused)), ("if_used", self.decide(used)))
        return {
            name: {"verdict": decision.verdict, "clauses": list(decision.clauses)}
            for name, decision in decisions
            if decision is not None
        }

    def with_delivery_limit(self, facts: Facts) -> Facts:
        """The facts with the offer's time limit for delivery, where the policy in force sets one (RF 2.3)."""
        policy = self.policy(facts.storefront, facts.order.paid_at)
        if policy is None or policy.delivery_hours is None or facts.order.delivery_due_at is not None:
            return facts
        due_at = facts.order.paid_at + timedelta(hours=policy.delivery_hours)
        return facts.model_copy(update={"order": facts.order.model_copy(update={"delivery_due_at": due_at})})

    def delivery_limit(self, storefront: str, paid_at: datetime) -> timedelta | None:
        """How long the storefront may take to deliver (RF 2.3); None where its policy promises no time."""
        policy = self.policy(storefront, paid_at)
        return None if policy is None or policy.delivery_hours is None else timedelta(hours=policy.delivery_hours)

    def last_day(self, moment: datetime | None, storefront: str, paid_at: datetime) -> date | None:
        """The seller's calendar day that ends at this moment."""
        policy = self.policy(storefront, paid_at)
        if moment is None or policy is None:
            return None
        return policy.calendar.last_day(moment)


def _surplus(facts: Facts, charge: Any, policy: Policy | None) -> Decision:
    price = Price.of(Money(amount=charge.amount_minor, currency=charge.currency))
    if policy is not None:
        decided = decide(facts, policy)
        if decided.verdict == "approve":
            return decided.model_copy(update={"refund": price})
    pay_by = None if policy is None else policy.after(policy.deadlines.pay_by, facts.decided_at)
    credited_by = None if policy is None else policy.after(policy.deadlines.credited_by, facts.decided_at)
    return Decision(
        verdict="approve",
        grounds=(Ground(document="RF", clause="2.4", text="The money was taken twice: the surplus payment returns."),),
        refund=price,
        missing=(),
        policy=f"{facts.storefront}@surplus" if policy is None else policy.name,
        deadlines=Deadlines(pay_by=pay_by, credited_by=credited_by),
        explanation=explained("surplus", price=str(price)),
    )
