"""HTTP: the refund cases of an order and the money that goes back, as facts tell of them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from ordering.timeline.models import Fact, RecordedFact
from shared.contracts import Money

_CASE = "01937a3e-5c1f-7d43-9b1c-0f0f3e9a4b11"
_REQUESTED = (Fact.REFUND_REQUESTED, Fact.SURPLUS_REQUESTED)
_APPROVED = (Fact.REFUND_APPROVED, Fact.REFUND_PART_APPROVED, Fact.SURPLUS_APPROVED)
_SETTLED = (Fact.REFUND_SETTLED, Fact.REFUND_PART_SETTLED, Fact.SURPLUS_SETTLED)
_FAILED = (Fact.REFUND_FAILED, Fact.SURPLUS_FAILED)
_RETRIED = (Fact.REFUND_RETRIED, Fact.SURPLUS_RETRIED)
CaseState = Literal["requested", "information_needed", "cancellation_accepted", "denied", "appealed", "approved"]
_STATES: dict[Fact, CaseState] = {
    Fact.REFUND_REQUESTED: "requested",
    Fact.SURPLUS_REQUESTED: "requested",
    Fact.INFORMATION_NEEDED: "information_needed",
    Fact.CANCELLATION_ACCEPTED: "cancellation_accepted",
    Fact.REFUND_DENIED: "denied",
    Fact.APPEAL_RECEIVED: "appealed",
    Fact.REFUND_APPROVED: "approved",
    Fact.REFUND_PART_APPROVED: "approved",
    Fact.SURPLUS_APPROVED: "approved",
}


class RefundCase(BaseModel):
    """A refund case. `state` is what happened last."""

    case_id: Annotated[UUID, Field(examples=[_CASE])]
    state: Annotated[CaseState, Field(examples=["denied"])]
    requested_at: Annotated[
        datetime | None, Field(description="null: the request was not reported", examples=["2026-11-23T08:00:00Z"])
    ]
    reason: Annotated[str | None, Field(examples=["technical_failure"])]
    changed_at: Annotated[datetime, Field(examples=["2026-11-24T08:00:00Z"])]
    missing: Annotated[list[str], Field(description="what the buyer has to send", examples=[["evidence"]])]
    clauses: Annotated[list[str], Field(description="of the decision", examples=[["RP 2.3"]])]


class RefundView(BaseModel):
    """Money that goes back, or went back. `failed`: the bank refused, and a person pays another way."""

    refund_id: Annotated[UUID, Field(examples=[_CASE])]
    case_id: Annotated[
        UUID | None, Field(description="null: not known (approved before this release)", examples=[_CASE])
    ]
    surplus: Annotated[bool, Field(description="of a second payment for the same order", examples=[False])]
    state: Annotated[Literal["approved", "failed", "settled"], Field(examples=["settled"])]
    amount: Money | None
    approved_at: Annotated[datetime | None, Field(examples=["2026-11-24T08:00:00Z"])]
    settled_at: Annotated[datetime | None, Field(examples=["2026-11-24T08:00:03Z"])]
    credited_by: Annotated[date | None, Field(examples=["2026-12-08"])]


def refund_cases(facts: Iterable[RecordedFact]) -> list[RefundCase]:
    """The cases that facts tell of, the earliest first."""
    by_case: dict[str, list[RecordedFact]] = {}
    for fact in facts:
        if fact.fact in _STATES:
            case_id = fact.detail.get("case_id") if fact.fact in _APPROVED else fact.ref.partition("/")[0]
            if case_id:
                by_case.setdefault(case_id, []).append(fact)
    cases = [_case(case_id, about) for case_id, about in by_case.items()]
    return sorted(cases, key=lambda case: (case.requested_at or case.changed_at, str(case.case_id)))


def _case(case_id: str, about: Sequence[RecordedFact]) -> RefundCase:
    ranks = list(_STATES)
    last = max(about, key=lambda fact: (fact.at, ranks.index(fact.fact)))
    requests = [fact for fact in about if fact.fact in _REQUESTED]
    state = _STATES[last.fact]
    return RefundCase(
        case_id=UUID(case_id),
        state=state,
        requested_at=requests[0].at.astimezone(UTC) if requests else None,
        reason=requests[0].detail.get("reason") if requests else None,
        changed_at=last.at.astimezone(UTC),
        missing=list(last.detail.get("missing", ())) if state == "information_needed" else [],
        clauses=list(last.detail.get("clauses", ())),
    )


def refunds(facts: Iterable[RecordedFact]) -> list[RefundView]:
    """The refunds that facts tell of, the earliest first. A refund that only its end was reported of has no amount."""
    by_refund: dict[str, dict[Fact, list[RecordedFact]]] = {}
    for fact in facts:
        if fact.fact in (*_APPROVED, *_SETTLED, *_FAILED, *_RETRIED):
            by_refund.setdefault(fact.ref.partition("/")[0], {}).setdefault(fact.fact, []).append(fact)
    views = [_refund(refund_id, about) for refund_id, about in by_refund.items()]
    return sorted(views, key=lambda view: (view.approved_at is None, view.approved_at, str(view.refund_id)))


def _refund(refund_id: str, about: dict[Fact, list[RecordedFact]]) -> RefundView:
    approved = _one(about, _APPROVED)
    settled = _one(about, _SETTLED)
    failed, retried = (max(map(_attempt, _all(about, kinds)), default=0) for kinds in (_FAILED, _RETRIED))
    state: Literal["approved", "failed", "settled"] = "failed" if failed and failed >= retried else "approved"
    known = approved or settled
    amount = (
        Money(amount=known.detail["amount"], currency=known.detail["currency"])
        if known is not None and "amount" in known.detail
        else None
    )
    credited_by = settled.detail.get("credited_by") if settled is not None else None
    case_id = approved.detail.get("case_id") if approved is not None else None
    return RefundView(
        refund_id=UUID(refund_id),
        case_id=None if case_id is None else UUID(case_id),
        surplus=any(fact.name.startswith("SURPLUS") for fact in about),
        state=state if settled is None else "settled",
        amount=amount,
        approved_at=None if approved is None else approved.at.astimezone(UTC),
        settled_at=None if settled is None else settled.at.astimezone(UTC),
        credited_by=None if credited_by is None else date.fromisoformat(credited_by),
    )


def _all(about: dict[Fact, list[RecordedFact]], kinds: Sequence[Fact]) -> list[RecordedFact]:
    return [fact for kind in kinds for fact in about.get(kind, ())]


def _one(about: dict[Fact, list[RecordedFact]], kinds: Sequence[Fact]) -> RecordedFact | None:
    return next(iter(_all(about, kinds)), None)


def _attempt(fact: RecordedFact) -> int:
    """The number of an attempt at the bank; the first one has none in its ref."""
    return int(fact.ref.partition("/")[2] or 1)
