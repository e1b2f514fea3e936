"""Whether a top-up may be sold: refused before it is paid for, wherever that can be known (RC 4)."""

from dataclasses import dataclass
from datetime import datetime

from ordering.intake.rules.validation import ENDED_ESIM, UNKNOWN_ESIM, UNSUITABLE_PLAN, Refusal
from shared.contracts import FieldError, Plan


@dataclass(frozen=True, slots=True)
class Esim:
    """An eSIM that was sold, with the ends that are known of it."""

    storefront: str
    plan: Plan
    revoked_at: datetime | None = None
    expired_at: datetime | None = None
    deleted_at: datetime | None = None


def judge_top_up(storefront: str, plan: Plan, esim: Esim | None) -> Refusal | None:
    """Why this plan cannot be added to this eSIM; None where it can, as far as is known here.

    Another shop's eSIM is as unknown as none at all: who sold it is nobody else's business. A top-up adds data and days
    to what the eSIM can do, so its plan has the same operator profile and the same countries as the eSIM's own.
    """
    if esim is None or esim.storefront != storefront:
        return _refusal(UNKNOWN_ESIM, "iccid", "is not an eSIM that this shop sold")
    for ended, how in (
        (esim.revoked_at, "was taken out of use"),
        (esim.expired_at, "has expired"),
        (esim.deleted_at, "was deleted from its device"),
    ):
        if ended is not None:
            return _refusal(ENDED_ESIM, "iccid", f"names an eSIM that {how}")
    if plan.profile_type != esim.plan.profile_type or set(plan.coverage) != set(esim.plan.coverage):
        return _refusal(UNSUITABLE_PLAN, "plan", "must have the coverage of the eSIM's own plan")
    return None


def _refusal(reason: str, field: str, message: str) -> Refusal:
    return Refusal(reason, (FieldError(field=field, message=message),))
