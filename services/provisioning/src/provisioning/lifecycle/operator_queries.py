"""Queries an operator about a profile, and turns its answer into a report."""

from datetime import UTC, datetime
from typing import Any, TypeAlias

from provisioning.clients.models import (
    NotReported,
    OperatorClient,
    OperatorNotSent,
    ProfileRef,
    ProfileStatus,
    QueryOutcome,
    UsageReport,
)
from provisioning.clients.reports import Report
from provisioning.lifecycle.models.profile import IssuedProfile
from provisioning.lifecycle.observation import SourcedReport
from provisioning.operators import Operators
from shared.outcomes import Done, NeedsPerson, NotDue

_UNNAMED = "operator"
#: The operator's report; None where it has none.
ReportOutcome: TypeAlias = Done[SourcedReport | None] | OperatorNotSent | NotDue


async def query_operator(
    operators: Operators, profile: IssuedProfile, *, now: datetime, trace: str | None
) -> ReportOutcome:
    """Query install state and usage. `now` is the time of values that the operator does not date."""
    operator = operator_of(operators, profile)
    if isinstance(operator, NeedsPerson):
        return OperatorNotSent(operator.reason)
    ref = profile.ref()
    status = await operator.status(ref, trace=trace)
    if isinstance(status, OperatorNotSent | NotDue):
        return status
    usage = await _usage(operator, ref, status, trace)
    if isinstance(usage, OperatorNotSent | NotDue):
        return usage
    known_status = status.value if isinstance(status, Done) else None
    known_usage = usage.value if isinstance(usage, Done) else None
    if known_status is None and known_usage is None:
        return Done(None)
    report = report_of(known_status, known_usage, now=now)
    return Done(SourcedReport(operator.name, profile.iccid, report, trace=trace, queried=True))


def operator_of(operators: Operators, profile: IssuedProfile) -> OperatorClient | NeedsPerson:
    """The operator that made the profile."""
    if profile.operator not in operators:
        return NeedsPerson(f"operator {profile.operator} is not configured (any more)")
    return operators[profile.operator]


async def _usage(
    operator: OperatorClient, ref: ProfileRef, status: Done[ProfileStatus] | NotReported, trace: str | None
) -> QueryOutcome[UsageReport]:
    if isinstance(status, Done) and status.value.usage is not None:
        return Done(status.value.usage)
    if not operator.traits.reports_usage:
        return NotReported("no-usage", "This operator reports no usage.")
    return await operator.usage(ref, trace=trace)


def report_of(status: ProfileStatus | None, usage: UsageReport | None, *, now: datetime) -> Report:
    """An operator's answer as one report: each value with the time that the operator gives it."""
    install, used = status.install if status else None, usage.usage if usage else None
    values = [value for value in (install, used) if value is not None]
    times = [status.known_at if status else None, *(value.observed_at for value in values)]
    at = next((moment for moment in times if moment is not None), now)
    source = next((value.source for value in values if value.source), _UNNAMED)
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
