"""Which policy judges an order, and what it says: also of money that the bank took twice."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from refunds.policy import Deadlines, Decision, Facts, Policy, PolicyBook, Price, UnknownPolicyError, decide
from refunds.policy.models.calendar import Calendar
from refunds.policy.rules.engine import awaits_observation, outranks_refusals
from shared.contracts import Explanation, Ground, Money

_ELSEWHERE = Calendar(ZoneInfo("UTC"))


class OrderPolicies:
    """Answers for every order under the version that was in force when it was paid (PO 3.3)."""

    def __init__(self, book: PolicyBook) -> None:
        self.book = book

    def policy(self, storefront: str, paid_at: datetime) -> Policy | None:
        """The version that judges an order for ever; None where none is known for the storefront."""
        try:
            return self.book.in_force(storefront, paid_at)
        except UnknownPolicyError:
            return None

    def calendar(self, storefront: str) -> Calendar:
        """The seller's clock; UTC without holidays where nothing is known."""
        try:
            return self.book.versions(storefront)[-1].calendar
        except UnknownPolicyError:
            return _ELSEWHERE

    def answer(self, facts: Facts, charge: Any = None) -> Decision | None:
        """What the policy says; None where there is none, so that a person must decide.

        A surplus capture goes back whole whatever the policy says of refunds: the seller sold one thing.
        """
        facts = self.promised(facts)
        policy = self.policy(facts.storefront, facts.order.paid_at)
        if charge is not None:
            return _surplus(facts, charge, policy)
        return None if policy is None else decide(facts, policy)

    def awaits_observation(self, facts: Facts) -> bool:
        """Whether a report of the operator could still change the verdict."""
        policy = self.policy(facts.storefront, facts.order.paid_at)
        return policy is not None and awaits_observation(self.promised(facts), policy)

    def outranks_refusals(self, facts: Facts) -> bool:
        """Whether the money goes back whatever the seller's text says (RF 2.4, RF 2.5)."""
        policy = self.policy(facts.storefront, facts.order.paid_at)
        return policy is not None and outranks_refusals(self.promised(facts), policy)

    def possible(self, unused: Facts, used: Facts) -> dict[str, Any]:
        """Both answers that are possible while nobody knows how the profile is used: verdict and clauses of each."""
        answers = (("if_unused", self.answer(unused)), ("if_used", self.answer(used)))
        return {
            name: {
                "verdict": answer.verdict,
                "clauses": [f"{ground.document} {ground.clause}" for ground in answer.grounds],
            }
            for name, answer in answers
            if answer is not None
        }

    def promised(self, facts: Facts) -> Facts:
        """The same facts with the offer's time limit for delivery, where the policy in force sets one (RF 2.3)."""
        policy = self.policy(facts.storefront, facts.order.paid_at)
        if policy is None or policy.delivery_hours is None or facts.order.delivery_due_at is not None:
            return facts
        due_at = facts.order.paid_at + timedelta(hours=policy.delivery_hours)
        return facts.model_copy(update={"order": facts.order.model_copy(update={"delivery_due_at": due_at})})

    def last_day(self, moment: datetime | None, storefront: str, paid_at: datetime) -> date | None:
        """The day that ends at this moment where the seller is."""
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
        explanation=Explanation(
            en=f"Your bank was charged twice for this order. The surplus payment of {price} goes back to you in full; "
            "the order itself is not affected.",
            ru=f"За этот заказ деньги были списаны дважды. Лишний платёж {price} возвращается вам полностью; на сам "
            "заказ это не влияет.",
        ),
    )
