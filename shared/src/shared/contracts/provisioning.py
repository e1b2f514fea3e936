"""Facts that provisioning owns."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import BuyerErased, Iccid, Kind, OrderEvent, Plan, Value
from shared.sealed import Sealed


class OperatorStatus(Value):
    """An operator's answer: subject code, reason code (SGP.22 v2.5 section 5.2.6) and message."""

    subject_code: str
    reason_code: str
    message: str = ""


class ProfileGenerated(OrderEvent, topic="provisioning.profile-generated"):
    """A profile was made for this order. Only notifications can open the activation code."""

    plan: Plan
    iccid: Iccid
    #: The full `LPA:1$...` string, sealed to notifications.
    activation_code: Sealed
    confirmation_code: Sealed | None = None
    apn: str | None = None
    operator: str
    paid_at: datetime
    generated_at: datetime
    #: An eSIM that is never activated expires then (RC 7): the last moment of its last day at the storefront.
    valid_until: datetime


class ProfileFailed(OrderEvent, topic="provisioning.profile-failed"):
    """No profile will come for this order. Final: nothing is provisioned afterwards."""

    plan: Plan
    operator: str
    statuses: tuple[OperatorStatus, ...] = ()
    reason: str
    paid_at: datetime
    failed_at: datetime
    kind: Kind = "esim"
    #: The eSIM that a top-up was meant for.
    iccid: Iccid | None = None


InstallState = Literal["unknown", "released", "downloaded", "installed", "enabled", "disabled", "deleted"]


class InstallStatus(Value):
    """Where the profile is, as a source reported. `unknown` with `observed_at` None: no source has reported yet."""

    state: InstallState = "unknown"
    #: The source: `es2plus-notification`, `operator-feed`, `airalo`.
    source: str | None = None
    #: The time of the report, not the time at which we read it.
    observed_at: datetime | None = None


class Usage(Value):
    """What was used, as a source reported. None is unknown, never zero."""

    used_bytes: int | None = Field(None, ge=0)
    total_bytes: int | None = Field(None, ge=0)
    source: str | None = None
    observed_at: datetime | None = None


class ProfileObserved(OrderEvent, topic="provisioning.profile-observed", minor=2):
    """What is known of a profile's lifecycle: published when it changes, and always when a case requests it.

    Install state and usage are two facts, each with its own source and age. Times below are the earliest known ones.
    What no operator reported is `unknown` or null, never "not installed", zero or "not yet" (I15).
    """

    iccid: Iccid
    operator: str
    install: InstallStatus
    usage: Usage
    #: A device downloaded the profile (the code was scanned or entered). A report of a later state implies it.
    downloaded_at: datetime | None = None
    installed_at: datetime | None = None
    #: Enabled on a device, or first use, whichever was first.
    activated_at: datetime | None = None
    #: The first data that a source reported. An eSIM may be enabled long before it is used.
    first_used_at: datetime | None = None
    deleted_at: datetime | None = None
    #: The plan's validity, once it has begun.
    plan_ends_at: datetime | None = None
    #: The refund case that requested this observation.
    case_id: UUID | None = None
    #: False: the operator could not be reached; install and usage are as old as their own times.
    reached: bool = True
    observed_at: datetime


class ProfileRevoked(OrderEvent, topic="provisioning.profile-revoked"):
    """The code was revoked permanently."""

    iccid: Iccid
    reason: Literal["refund", "cancellation"]
    case_id: UUID | None = None
    revoked_at: datetime


class RevocationRefused(OrderEvent, topic="provisioning.revocation-refused", minor=1):
    """The profile could not be revoked: it is on a device already, or the operator refused (RC 5)."""

    iccid: Iccid
    case_id: UUID | None = None
    statuses: tuple[OperatorStatus, ...] = ()
    reason: str
    #: The operator reports that the profile is, or was, on a device. None: no reason given, or an earlier release.
    in_use: bool | None = None
    refused_at: datetime


class ProfileExpired(OrderEvent, topic="provisioning.profile-expired"):
    """The profile has expired: it was not activated in time (RC 7), or the plan has ended."""

    iccid: Iccid
    reason: Literal["never_activated", "plan_ended"]
    expired_at: datetime


class DataLow(OrderEvent, topic="provisioning.data-low"):
    """So much of the eSIM's data is used: once for each threshold, and once more after each top-up.

    Both numbers are what a source reported together or one after the other; where one is unknown nothing is published
    (I15). A source may report several thresholds at once: each is an event of its own.
    """

    iccid: Iccid
    plan: Plan
    threshold_percent: int = Field(ge=1, le=100)
    used_bytes: int = Field(ge=0)
    #: The plan's data with all top-ups, as the operator counts it.
    total_bytes: int = Field(gt=0)
    #: The time of the report of the used bytes, not the time at which we read it.
    observed_at: datetime


class ProfileExpiring(OrderEvent, topic="provisioning.profile-expiring"):
    """The eSIM ends in some days, unless it is activated (RC 7) or topped up: once for each day on which it may end.

    A later event with a later `ends_at` replaces this one, and so does the end itself (`profile-expired`, `-revoked`).
    """

    iccid: Iccid
    plan: Plan
    reason: Literal["never_activated", "plan_ended"]
    ends_at: datetime
    #: The last day on which it works, in the storefront's time zone.
    ends_on: date
    announced_at: datetime


class TopUpApplied(OrderEvent, topic="provisioning.top-up-applied"):
    """Data and validity of an eSIM were extended, which cannot be reversed (RC 4). The order is the top-up's."""

    iccid: Iccid
    plan: Plan
    operator: str
    #: The order that sold the eSIM.
    esim_order_id: UUID
    plan_ends_at: datetime | None = None
    total_bytes: int | None = Field(None, ge=0)
    paid_at: datetime
    applied_at: datetime


class ProvisioningBuyerErased(BuyerErased, topic="provisioning.buyer-erased"):
    """Provisioning holds no more data of that buyer (PP 6.2)."""
