"""Asking an operator about a profile, and its answer as a report."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from provisioning.clients.models import NotKnown, NotNow, Operator, ProfileRef, ProfileStatus, UsageReport
from provisioning.clients.reports import Report
from provisioning.lifecycle.observation import SourcedReport
from provisioning.lifecycle.store import IssuedProfile
from provisioning.operators.registry import Operators
from shared.tasks import NeedsPersonError

_UNNAMED = "operator"


@dataclass(frozen=True, slots=True)
class OperatorAnswer:
    """The operator was asked and answered; `told` None: it does not know, or never tells."""

    told: SourcedReport | None
    words: str = ""


async def query_operator(
    operators: Operators, life: IssuedProfile, *, now: datetime, trace: str | None
) -> OperatorAnswer | NotNow:
    """Ask where the profile is and what was used. `now` dates what the operator does not date itself."""
    if life.operator not in operators:
        return NotNow(f"operator {life.operator} is not configured (any more)")
    operator, ref = operators[life.operator], life.ref()
    status = await operator.status(ref, trace=trace)
    if isinstance(status, NotNow):
        return status
    usage = await _usage(operator, ref, status, trace)
    if isinstance(usage, NotNow):
        return usage
    known_status = status if isinstance(status, ProfileStatus) else None
    known_usage = usage if isinstance(usage, UsageReport) else None
    if known_status is None and known_usage is None:
        return OperatorAnswer(None, status.reason if isinstance(status, NotKnown) else "")
    report = report_of(known_status, known_usage, now=now)
    return OperatorAnswer(SourcedReport(operator.name, life.iccid, report, trace=trace, looked=True))


def operator_of_profile(operators: Operators, life: IssuedProfile) -> Operator:
    """The operator that made the profile. Raises NeedsPersonError where it is not configured (any more)."""
    if life.operator not in operators:
        raise NeedsPersonError(f"operator {life.operator} is not configured (any more)")
    return operators[life.operator]


async def _usage(
    operator: Operator, ref: ProfileRef, status: ProfileStatus | NotKnown, trace: str | None
) -> UsageReport | NotKnown | NotNow:
    if isinstance(status, ProfileStatus) and status.usage is not None:
        return status.usage
    if not operator.traits.reports_usage:
        return NotKnown("no usage is reported")
    return await operator.usage(ref, trace=trace)


def report_of(status: ProfileStatus | None, usage: UsageReport | None, *, now: datetime) -> Report:
    """An operator's answer as one report: each value with the time that the operator gives it."""
    install, used = status.install if status else None, usage.usage if usage else None
    told = [one for one in (install, used) if one is not None]
    times = [status.known_at if status else None, *(one.observed_at for one in told)]
    at = next((moment for moment in times if moment is not None), now)
    source = next((one.source for one in told if one.source), _UNNAMED)
    fields: dict[str, Any] = {"source": source, "at": _utc(at)}
    if status and install:
        fields |= {"install": install.state, "install_since": _utc(install.observed_at), "eid": status.eid}
    if usage and used:
        fields |= {
            "used_bytes": used.used_bytes,
            "total_bytes": used.total_bytes,
            "usage_at": _utc(used.observed_at),
            "first_use_at": _utc(usage.first_used_at),
            "ends_at": _utc(usage.ends_at),
        }
    return Report(**fields)


def _utc(moment: datetime | None) -> datetime | None:
    return moment.astimezone(UTC) if moment else None
