"""The operator's own feed, beside ES2+ (which carries no usage): install state and usage, each with source and time."""

from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from provisioning.domain.operator import ProfileStatus, ToppedUp, UsageReport
from shared.contracts import InstallState, InstallStatus, Usage

SOURCE = "operator-feed"
_STATES: dict[str, InstallState] = {
    "not-installed": "released",
    "released": "released",
    "downloaded": "downloaded",
    "installed": "installed",
    "enabled": "enabled",
    "disabled": "disabled",
    "deleted": "deleted",
}


class _Report(BaseModel):
    model_config = ConfigDict(extra="ignore")
    iccid: str = Field(pattern=r"^([0-9]{18,20}|[0-9]{19}[Ff])$")
    observed_at: AwareDatetime | None = Field(None, alias="observedAt")
    install_state: str | None = Field(None, alias="installState")
    install_state_at: AwareDatetime | None = Field(None, alias="installStateAt")
    eid: str | None = None
    used_bytes: int | None = Field(None, alias="usedBytes", ge=0)
    used_bytes_at: AwareDatetime | None = Field(None, alias="usedBytesAt")
    total_bytes: int | None = Field(None, alias="totalBytes", ge=0)
    first_use_at: AwareDatetime | None = Field(None, alias="firstUseAt")
    valid_until: AwareDatetime | None = Field(None, alias="validUntil")


class _TopUp(BaseModel):
    model_config = ConfigDict(extra="ignore")
    total_bytes: int | None = Field(None, alias="totalBytes", ge=0)
    valid_until: AwareDatetime | None = Field(None, alias="validUntil")


def read_report(body: bytes, iccid: str) -> ProfileStatus | None:
    """What `GET {usage_url}/{iccid}` answered; None where it is no report about this profile.

    A state we do not know is "unknown". A value without a time of its own is as old as the report.
    """
    try:
        report = _Report.model_validate_json(body)
    except ValidationError:
        return None
    if report.iccid.rstrip("Ff") != iccid:
        return None
    state = _STATES.get(report.install_state or "", "unknown")
    install = InstallStatus(state=state, source=SOURCE, observed_at=_at(report.install_state_at, report, state))
    used = Usage(
        used_bytes=report.used_bytes,
        total_bytes=report.total_bytes,
        source=SOURCE,
        observed_at=_at(report.used_bytes_at, report, report.used_bytes),
    )
    usage = UsageReport(used, report.first_use_at, report.valid_until)
    return ProfileStatus(install, report.eid, usage, report.observed_at)


def read_top_up(body: bytes) -> ToppedUp | None:
    """What a top-up was answered with; None where the answer cannot be read."""
    try:
        answer = _TopUp.model_validate_json(body)
    except ValidationError:
        return None
    return ToppedUp(answer.total_bytes, answer.valid_until)


def _at(own: datetime | None, report: _Report, value: object) -> datetime | None:
    """The time of a value. "Nothing happened yet" was true when the feed looked, not when nothing began."""
    if value is None or value == "unknown":
        return None
    if value in ("released", 0) and report.observed_at is not None:
        return report.observed_at
    return own or report.observed_at
