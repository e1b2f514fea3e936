"""Whether a top-up can be sold: refused before payment if it is certain that it could not be applied (RC 4)."""

from ordering.intake.models import ENDED_ESIM, UNKNOWN_ESIM, UNSUITABLE_PLAN, Refusal, SoldEsim
from shared.contracts import FieldError, Plan


def check_top_up(storefront: str, plan: Plan, esim: SoldEsim | None) -> Refusal | None:
    """Return why this plan cannot be added to this eSIM; None if nothing that is stored here forbids it.

    Another shop's eSIM is refused as unknown, so that a shop cannot find out who sold it. A top-up adds data and days
    to the eSIM's own plan, so it must have the same operator profile and the same countries.
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
