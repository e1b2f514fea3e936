"""What is answered over HTTP about orders and cases. It holds no personal data: the caller knows the buyer."""

from datetime import date, datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel

from refunds.cases.models.case import Case, CaseState
from refunds.cases.models.file import CaseFile, Order
from refunds.cases.rules.deadlines import stored_deadlines
from refunds.cases.rules.state import case_state
from shared.contracts import Explanation, Ground, Money


class OrderFacts(BaseModel):
    """The facts of an order; null: not reported. Times are UTC."""

    kind: str | None
    paid: Money | None
    paid_at: datetime | None
    generated_at: datetime | None
    failed_at: datetime | None
    failure: str | None
    failure_statuses: list[dict[str, str]] | None
    delivered_at: datetime | None
    delivery_channel: str | None
    delivery_failed_at: datetime | None
    delivery_failure: str | None
    install_state: str | None
    downloaded_at: datetime | None
    installed_at: datetime | None
    activated_at: datetime | None
    deleted_at: datetime | None
    used_bytes: int | None
    plan_ends_at: datetime | None
    observed_at: datetime | None
    unreached_at: datetime | None
    revoked_at: datetime | None
    revocation_refused_at: datetime | None
    expired_at: datetime | None
    top_up_applied_at: datetime | None
    settled_at: datetime | None
    refund_failed_at: datetime | None

    @classmethod
    def of(cls, order: Order) -> Self:
        values = order.row._asdict()
        return cls(paid=order.paid, **{name: values[name] for name in cls.model_fields if name != "paid"})


class DecisionView(BaseModel):
    """The decision of the policy, its clauses and deadlines. Amount and refund id: of an approval only."""

    verdict: str
    decided_at: datetime
    decided_by: str | None
    refund_id: UUID | None
    amount: Money | None
    policy: str
    grounds: list[Ground]
    explanation: Explanation
    missing: list[str]
    deadlines: dict[str, datetime]
    pay_by: datetime | None
    credited_by: date | None


class PossibleAnswer(BaseModel):
    """What the policy would decide."""

    verdict: str
    clauses: list[str]


class PossibleAnswers(BaseModel):
    """Both decisions that are possible while the operator does not report whether the profile is used."""

    if_unused: PossibleAnswer
    if_used: PossibleAnswer


class CaseView(BaseModel):
    """A case. A case without a decision waits for a person."""

    case_id: UUID
    ground: str
    reason: str | None
    origin: str
    channel: str
    state: CaseState
    requested_at: datetime
    received_at: datetime | None
    due_at: datetime | None
    due_kind: str | None
    decision: DecisionView | None
    #: Why and since when a person has to act, and between which decisions.
    person_why: str | None
    person_since: datetime | None
    possible: PossibleAnswers | None
    revocation_asked_at: datetime | None
    revocation_refused_at: datetime | None
    appealed_at: datetime | None
    appeal_answer_by: datetime | None
    closed_at: datetime | None
    settled_at: datetime | None
    refund_failed_at: datetime | None
    refund_failure: str | None
    #: What the shop decided to return; null: a case of the policy.
    shop_amount: Money | None

    @classmethod
    def of(cls, file: CaseFile, case: Case) -> Self:
        refund = file.refund(case)
        shop_amount = (
            None
            if case.shop_amount_minor is None
            else Money(amount=case.shop_amount_minor, currency=file.order.row.currency)
        )
        return cls(
            shop_amount=shop_amount,
            **{name: getattr(case, name) for name in cls.model_fields if hasattr(case, name)},
            state=case_state(case, refund),
            decision=_decision(case),
            settled_at=refund.settled_at,
            refund_failed_at=refund.failed_at,
            refund_failure=refund.failure,
        )


class OrderCases(BaseModel):
    """An order's facts and its cases, oldest first."""

    order_id: UUID
    order_number: str
    storefront: str
    facts: OrderFacts
    cases: list[CaseView]

    @classmethod
    def of(cls, file: CaseFile) -> Self:
        row = file.order.row
        return cls(
            order_id=row.order_id,
            order_number=row.order_number,
            storefront=row.storefront,
            facts=OrderFacts.of(file.order),
            cases=[CaseView.of(file, case) for case in file.cases],
        )


def _decision(case: Case) -> DecisionView | None:
    if case.verdict is None or case.policy is None or case.explanation is None:
        return None
    amount = None
    if case.amount_minor is not None and case.currency is not None:
        amount = Money(amount=case.amount_minor, currency=case.currency)
    return DecisionView(
        verdict=case.verdict,
        decided_at=case.decided_at or case.requested_at,
        decided_by=case.decided_by,
        refund_id=case.refund_id,
        amount=amount,
        policy=case.policy,
        grounds=[Ground.model_validate(ground) for ground in case.grounds or ()],
        explanation=Explanation.model_validate(case.explanation),
        missing=case.missing or [],
        deadlines=stored_deadlines(case),
        pay_by=case.pay_by,
        credited_by=case.credited_by,
    )
