"""A decision: verdict, grounds, money, what is missing, deadlines, and the same in words."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from refunds.policy.models.facts import Price
from shared.contracts import Explanation, Ground
from shared.shops.policy import RequestField

Verdict = Literal["approve", "deny", "await_information", "await_support", "await_restoration", "await_observation"]


class Deadlines(BaseModel):
    """Moments in UTC; a day's deadline is its 24:00 where the seller is. None: the policy sets none here."""

    model_config = ConfigDict(frozen=True)

    #: The last moment to ask.
    request_until: datetime | None = None
    #: The request is reviewed by then.
    decide_by: datetime | None = None
    #: A confirmed failure is repaired by then, or the money goes back.
    restore_by: datetime | None = None
    #: The transfer is made by then.
    pay_by: datetime | None = None
    #: The money has usually arrived by then.
    credited_by: datetime | None = None


class Decision(BaseModel):
    """The decision of a policy on these facts at this moment."""

    model_config = ConfigDict(frozen=True)

    verdict: Verdict
    #: All that apply, in the order of the policy file; while something is waited for, the one that says what.
    grounds: tuple[Ground, ...]
    refund: Price | None
    #: What the policy requires and the request lacks.
    missing: tuple[RequestField, ...]
    #: `<storefront>@<version>`.
    policy: str
    deadlines: Deadlines
    explanation: Explanation

    @property
    def clauses(self) -> tuple[str, ...]:
        """The clauses of the grounds, in their order: `RF 2.1`, `RF 3.1`."""
        return tuple(f"{ground.document} {ground.clause}" for ground in self.grounds)
