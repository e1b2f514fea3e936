"""Decides whether a top-up can be applied (RC 4): its storefront sold the eSIM, which has not ended, and it fits."""

from shared.contracts import Plan

UNKNOWN = "There is no eSIM with this ICCID, so nothing could be topped up."
FOREIGN = "This eSIM was sold by another shop, so it cannot be topped up here."
OTHER_PLAN = "This plan does not fit the eSIM: a top-up has the coverage of the eSIM's own plan."
NOT_OFFERED = "The operator of this eSIM does not offer top-ups."


def fits(esim: Plan, top_up: Plan) -> bool:
    """Whether both plans have the same operator profile and the same countries: a top-up adds only data and days."""
    return esim.profile_type == top_up.profile_type and set(esim.coverage) == set(top_up.coverage)


def ended(why: str) -> str:
    """The sentence for an eSIM that has ended; `why` as in `it was revoked`."""
    return f"This eSIM cannot be topped up: {why}."
