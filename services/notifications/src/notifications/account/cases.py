"""What a buyer reads of the cases of an order. Pure."""

from collections.abc import Sequence

from notifications.account.models import RefundReason, RefundSection, ShownCase
from notifications.clients.refunds import Eligibility, RefundCase
from notifications.emails import LocaleFormat, texts

#: States in which nothing more is expected of anybody but the bank.
_OVER = frozenset({"paying", "settled", "denied"})
_CANCELLATION = "cancellation"
#: A claimed double charge is looked up in the books, and so has no answer of today.
DOUBLE_CHARGE = "double_charge"


def refund_section(eligibility: Eligibility, locale: LocaleFormat) -> RefundSection | None:
    """The section on refunds; None for an order that is not paid."""
    if eligibility.status not in {"open", "refunded"}:
        return None
    sentences = texts(locale.language)["account"]
    reasons = [
        RefundReason(answer.reason, locale.explanation(answer.explanation))
        for answer in eligibility.answers
        if f"reason_{answer.reason}" in sentences and answer.reason != DOUBLE_CHARGE
    ]
    if reasons:
        reasons.append(RefundReason(DOUBLE_CHARGE, texts(locale.language)["case"][DOUBLE_CHARGE]))
    shown = [shown_case(case, locale) for case in eligibility.cases if case.state != "superseded"]
    return RefundSection(
        "open" if eligibility.status == "open" else "done",
        tuple(reasons),
        tuple(reversed(shown)),
        eligibility.cancellation == "possible" and not _is_cancelling(eligibility.cases),
    )


def _is_cancelling(cases: Sequence[RefundCase]) -> bool:
    return any(case.ground.startswith(_CANCELLATION) and case.state not in {"denied", "superseded"} for case in cases)


def shown_case(case: RefundCase, locale: LocaleFormat) -> ShownCase:
    """A case in the buyer's words."""
    t, decision = texts(locale.language)["case"], case.decision
    state = case.state if f"state_{case.state}" in t else "needs_person"
    steps = [(locale.minute(case.requested_at), t["step_requested"])]
    decided = None
    if decision is not None and state in _OVER | {"revoking", "information_needed", "appealed"}:
        decided = decision.decider
        if state != "information_needed":
            steps.append((locale.minute(decision.decided_at), t[f"step_decided_{decided}"]))
    if case.appealed_at is not None:
        steps.append((locale.minute(case.appealed_at), t["step_appealed"]))
    missing = texts(locale.language)["information"]
    grounds = () if decision is None else decision.grounds
    return ShownCase(
        case_id=case.case_id,
        title=_title(case, locale),
        state=state,
        steps=tuple(steps),
        due=None if case.due_at is None or state in {"settled", "denied"} else locale.day(case.due_at),
        decided=decided,
        explanation=None if decision is None else locale.explanation(decision.explanation),
        clauses=", ".join(dict.fromkeys(f"{ground.document} {ground.clause}" for ground in grounds)),
        missing=tuple(
            missing[f"missing_{name}"]
            for name in (decision.missing if decision is not None and state == "information_needed" else ())
            if f"missing_{name}" in missing
        ),
        open=state not in _OVER | {"revoking"},
        can_appeal=state == "denied",
    )


def _title(case: RefundCase, locale: LocaleFormat) -> str:
    t = texts(locale.language)
    if case.ground.startswith(_CANCELLATION):
        return t["case"]["title_cancellation"]
    if case.ground.startswith("shop_decision"):
        return t["case"]["title_shop"]
    return t["account"].get(f"reason_{case.reason}", t["case"]["title"])
