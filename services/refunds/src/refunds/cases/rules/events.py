"""Builds the events of a case."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from refunds.cases.models.case import Case
from refunds.cases.models.file import CaseFile
from refunds.policy import Decision
from shared.contracts import (
    AppealReceived,
    CancellationAccepted,
    Ground,
    InformationNeeded,
    Money,
    RefundApproved,
    RefundDenied,
    RefundRequested,
    RequestRegistered,
    RevocationRequested,
    order_fields,
)
from shared.contracts.refunds import Code


def requested(file: CaseFile, case: Case) -> RefundRequested:
    """A case is open. Published again with a later `requested_at`, it requests a new observation of the profile."""
    return RefundRequested(
        **about(file, case),
        reason=_reason(case),
        origin=case.origin,
        requested_at=case.observation_asked_at or case.requested_at,
        channel=case.channel,
    )


def _reason(case: Case) -> str:
    if case.shop_request is not None or case.origin == "system" or not case.reason:
        return case.ground.partition(":")[0]
    return case.reason


def information_needed(file: CaseFile, case: Case, decision: Decision, now: datetime) -> InformationNeeded:
    """The buyer has to send exactly these fields."""
    return InformationNeeded(**about(file, case), **_reasons(decision), missing=decision.missing, asked_at=now)


def registered(
    file: CaseFile, case: Case, decision: Decision, waits_for: str, answer_by: datetime
) -> RequestRegistered:
    """The request is complete and waits for us."""
    return RequestRegistered(
        **about(file, case),
        waits_for=waits_for,
        received_at=case.received_at or case.requested_at,
        answer_by=answer_by,
        explanation=decision.explanation,
    )


def approved(file: CaseFile, case: Case, decision: Decision, now: datetime) -> RefundApproved:
    """The refund is approved. `case` holds its id and amount already."""
    assert case.refund_id is not None  # noqa: S101 - an approval without one is our own fault
    assert decision.refund is not None  # noqa: S101 - as above
    return RefundApproved(
        **about(file, case),
        **_reasons(decision),
        refund_id=case.refund_id,
        amount=decision.refund.money,
        approved_at=now,
        pay_by=case.pay_by,
        credited_by=case.credited_by,
        charge_id=case.charge_id,
        code=_code(file, case),
        remaining_payment=_remaining(file, case),
    )


def _remaining(file: CaseFile, case: Case) -> Money | None:
    """What is left of the payment after the refund, which `approved_minor` contains already."""
    paid = file.order.paid
    if case.charge_id is not None or paid is None:
        return None
    return Money(amount=max(0, file.left_minor), currency=paid.currency)


def _code(file: CaseFile, case: Case) -> Code | None:
    """What became of the code that the refund pays back; None where the refund concerns no code."""
    row = file.order.row
    if case.charge_id is not None or row.kind == "top_up":
        return None
    if row.revoked_at is not None or file.revocation(case).revoked_at is not None:
        return "revoked"
    return "none" if row.failed_at is not None else "kept"


def denied(file: CaseFile, case: Case, decision: Decision, now: datetime) -> RefundDenied:
    """The request is denied for these reasons."""
    return RefundDenied(**about(file, case), **_reasons(decision), denied_at=now)


def revocation_requested(
    file: CaseFile, case: Case, policy: str, grounds: Sequence[Ground], now: datetime
) -> RevocationRequested:
    """The profile has to be revoked before the refund is released."""
    return RevocationRequested(**about(file, case), policy=policy, grounds=tuple(grounds), requested_at=now)


def cancellation_accepted(
    file: CaseFile, case: Case, policy: str, grounds: Sequence[Ground], now: datetime
) -> CancellationAccepted:
    """The profile has to be revoked before the refund is released."""
    return CancellationAccepted(**about(file, case), policy=policy, grounds=tuple(grounds), accepted_at=now)


def appeal_received(file: CaseFile, case: Case, now: datetime) -> AppealReceived:
    """The buyer appealed against a denial."""
    return AppealReceived(**about(file, case), received_at=now, answer_by=case.appeal_answer_by)


def about(file: CaseFile, case: Case) -> dict[str, Any]:
    """The fields that every event of a case has."""
    row = file.order.row
    return {
        **order_fields(row),
        "case_id": case.case_id,
    }


def _reasons(decision: Decision) -> dict[str, Any]:
    return {"policy": decision.policy, "grounds": decision.grounds, "explanation": decision.explanation}
