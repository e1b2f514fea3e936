"""Knowledge about a profile: install state and usage, joined from reports that come in any order.

Knowledge only grows (a join-semilattice): the same reports result in the same knowledge, whatever their order, number
and repetition. A profile passes through *phases* and never returns to an earlier one (released, downloaded, installed,
in use, deleted). So a report of an earlier phase is stale, whatever its time; within the phase of use the latest report
counts. A counter of used bytes never decreases. Each value keeps the time of its own source.

RC 8: a profile stays bound to the first device (EID) that took it. Reports about another device are stored apart, so
that they change nothing, and so that it does not matter whose report comes first.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from functools import reduce
from typing import Any, Self

from pydantic import Field, model_validator

from provisioning.clients.fields import MOST_BYTES
from provisioning.clients.reports import DOWNLOADED, INSTALLED, PHASES, Report
from shared.contracts import InstallState, InstallStatus, Usage
from shared.contracts.base import Value

#: Reports that name no device.
_NO_DEVICE = ""


class Verdict(StrEnum):
    """The verdict about a report. Only the first two change the knowledge."""

    APPLIED = "applied"
    CONFIRMED = "confirmed"  # nothing new, but the time is newer
    KNOWN = "known"
    STALE = "stale"
    BACKWARDS = "backwards"  # fewer bytes than before, at a later time; the rest of the report counts
    FUTURE = "future"
    IMPLAUSIBLE = "implausible"  # its time is before the sale
    OTHER_DEVICE = "other_device"  # RC 8
    FAILED_STEP = "failed_step"
    UNKNOWN_ICCID = "unknown_iccid"
    NOTED = "noted"  # it contains neither state nor usage


class Sighting(Value):
    """Reports about the profile on one device (or about none that was named), joined."""

    #: When the device first had the profile, and in which phase it was then (times may be whole seconds).
    taken: tuple[datetime, int] | None = None
    install: InstallState = "unknown"
    install_source: str | None = None
    install_at: datetime | None = None
    used_bytes: int | None = None
    usage_source: str | None = None
    usage_at: datetime | None = None
    total_bytes: int | None = None
    total_at: datetime | None = None
    installed_at: datetime | None = None
    enabled_at: datetime | None = None
    first_use_at: datetime | None = None
    deleted_at: datetime | None = None
    ends_at: datetime | None = None

    @model_validator(mode="before")
    @classmethod
    def _possible(cls, values: Any) -> Any:
        """A number beyond all plans, stored by an earlier release, is unknown: no later report could exceed it."""
        if not isinstance(values, dict):
            return values
        if (values.get("used_bytes") or 0) > MOST_BYTES:
            values = values | {"used_bytes": None, "usage_source": None, "usage_at": None}
        if (values.get("total_bytes") or 0) > MOST_BYTES:
            values = values | {"total_bytes": None, "total_at": None}
        return values

    @classmethod
    def of(cls, report: Report) -> Self:
        """The sighting of one report."""
        reported = report.install != "unknown"
        used = report.used_bytes is not None
        since = report.install_since or report.at
        usage_at = report.usage_at or report.at
        began = report.first_use_at or (usage_at if report.used_bytes else None)
        return cls(
            taken=(since, PHASES[report.install]) if PHASES[report.install] >= DOWNLOADED else None,
            install=report.install,
            install_source=report.source if reported else None,
            install_at=report.at if reported else None,
            used_bytes=report.used_bytes,
            usage_source=report.source if used else None,
            usage_at=usage_at if used else None,
            total_bytes=report.total_bytes,
            total_at=usage_at if report.total_bytes is not None else None,
            installed_at=since if PHASES[report.install] >= INSTALLED else None,
            enabled_at=since if report.install == "enabled" else None,
            first_use_at=began,
            deleted_at=since if report.install == "deleted" else None,
            ends_at=report.ends_at,
        )

    def join(self, other: Self) -> Self:
        """Both together. The operation is associative, commutative and idempotent."""
        install = max(self, other, key=_install_rank)
        usage = max(self, other, key=lambda one: _rank(one.used_bytes, one.usage_at, one.usage_source))
        total = max(self, other, key=lambda one: _rank(_number(one.total_at), one.total_bytes))
        return self.model_copy(
            update={
                "taken": min((one for one in (self.taken, other.taken) if one is not None), default=None),
                "install": install.install,
                "install_source": install.install_source,
                "install_at": install.install_at,
                "used_bytes": usage.used_bytes,
                "usage_source": usage.usage_source,
                "usage_at": usage.usage_at,
                "total_bytes": total.total_bytes,
                "total_at": total.total_at,
                "installed_at": _earliest(self.installed_at, other.installed_at),
                "enabled_at": _earliest(self.enabled_at, other.enabled_at),
                "first_use_at": _earliest(self.first_use_at, other.first_use_at),
                "deleted_at": _earliest(self.deleted_at, other.deleted_at),
                "ends_at": max((at for at in (self.ends_at, other.ends_at) if at is not None), default=None),
            }
        )


class Known(Value):
    """Everything that is known about one profile, by device."""

    by_device: Mapping[str, Sighting] = Field(default_factory=dict)

    def learn(self, report: Report) -> "Known":
        """The knowledge with one more report."""
        device, sighting = report.eid or _NO_DEVICE, Sighting.of(report)
        before = self.by_device.get(device)
        return Known(by_device={**self.by_device, device: before.join(sighting) if before else sighting})

    @property
    def eid(self) -> str | None:
        """The first device that took the profile (RC 8)."""
        bound = [(one.taken, eid) for eid, one in self.by_device.items() if eid and one.taken is not None]
        return min(bound)[1] if bound else None

    @property
    def _whole(self) -> Sighting | None:
        """The sighting that counts: reports about the first device, and reports that name none."""
        known = [self.by_device[device] for device in (_NO_DEVICE, self.eid or _NO_DEVICE) if device in self.by_device]
        return reduce(Sighting.join, known) if known else None

    @property
    def anonymous(self) -> "Known":
        """The same knowledge without devices."""
        return Known(by_device={_NO_DEVICE: self._whole} if self._whole else {})

    @property
    def facts(self) -> "Facts":
        """The facts that are published."""
        whole = self._whole
        if whole is None:
            return NOTHING
        return Facts(
            install=InstallStatus(state=whole.install, source=whole.install_source, observed_at=whole.install_at),
            usage=Usage(
                used_bytes=whole.used_bytes,
                total_bytes=whole.total_bytes,
                source=whole.usage_source,
                observed_at=whole.usage_at,
            ),
            downloaded_at=whole.taken[0] if whole.taken else None,
            installed_at=whole.installed_at,
            activated_at=_earliest(whole.enabled_at, whole.first_use_at),
            first_use_at=whole.first_use_at,
            deleted_at=whole.deleted_at,
            total_at=whole.total_at,
            operator_ends_at=whole.ends_at,
            eid=self.eid,
        )


class Facts(Value):
    """Install state and usage, each with its source and time, and the earliest known moments."""

    install: InstallStatus = InstallStatus()
    usage: Usage = Usage()
    #: A device took the profile: the QR code was scanned or the code entered.
    downloaded_at: datetime | None = None
    installed_at: datetime | None = None
    #: Enabled on a device, or first use, whichever was first.
    activated_at: datetime | None = None
    first_use_at: datetime | None = None
    deleted_at: datetime | None = None
    #: When the source observed the total bytes.
    total_at: datetime | None = None
    #: The end of validity that the operator reports.
    operator_ends_at: datetime | None = None
    eid: str | None = None

    @property
    def taken(self) -> bool:
        """Whether a phone has downloaded the profile, as far as is known."""
        return PHASES[self.install.state] >= DOWNLOADED or self.installed_at is not None

    def plan_ends_at(self, validity_days: int) -> datetime | None:
        """When the plan ends: its validity counts from the first use (RC 7), or from when the profile was enabled.

        None while it does not run. Where the operator reports a later end, that one counts.
        """
        began = self.first_use_at or self.activated_at
        if began is None:
            return self.operator_ends_at
        ours = began + timedelta(days=validity_days)
        return max(ours, self.operator_ends_at) if self.operator_ends_at else ours

    def differs(self, other: "Facts") -> bool:
        """Whether anything changed that is published: more than times of observation, sources and the device."""
        return self.published != other.published

    @property
    def published(self) -> tuple[object, ...]:
        """The values whose change is published."""
        usage = (self.usage.used_bytes, self.usage.total_bytes)
        moments = (self.downloaded_at, self.installed_at, self.activated_at, self.first_use_at, self.deleted_at)
        return (self.install.state, *usage, *moments, self.operator_ends_at)


NOTHING = Facts()


def _install_rank(one: Sighting) -> tuple[int, float, str, str]:
    at = one.install_at.timestamp() if one.install_at else 0.0
    return PHASES[one.install], at, one.install, one.install_source or ""


def _rank(first: float | None, second: datetime | float | None, third: str | None = None) -> tuple[float, float, str]:
    after = _number(second) if isinstance(second, datetime) else second
    return (-1.0 if first is None else first), (-1.0 if after is None else after), third or ""


def _number(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _earliest(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)
