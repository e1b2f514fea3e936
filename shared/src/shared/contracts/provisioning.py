"""Facts that provisioning owns."""

from datetime import datetime

from shared.contracts.base import Iccid, OrderEvent, Plan, Value
from shared.sealed import Sealed


class OperatorStatus(Value):
    """What an operator answered: a subject and reason code (SGP.22 v2.5 section 5.2.6) and its words."""

    subject_code: str
    reason_code: str
    message: str = ""


class ProfileGenerated(OrderEvent, topic="provisioning.profile-generated"):
    """A profile was made for this order. The activation code can be opened by notifications alone."""

    plan: Plan
    iccid: Iccid
    #: The full `LPA:1$...` string, sealed to notifications.
    activation_code: Sealed
    confirmation_code: Sealed | None = None
    apn: str | None = None
    operator: str
    paid_at: datetime
    generated_at: datetime
    #: An eSIM that is never activated expires then (RC 7).
    valid_until: datetime


class ProfileFailed(OrderEvent, topic="provisioning.profile-failed"):
    """No profile will come for this order. Final: nothing is provisioned afterwards."""

    plan: Plan
    operator: str
    statuses: tuple[OperatorStatus, ...] = ()
    reason: str
    paid_at: datetime
    failed_at: datetime
