"""ES2+.HandleDownloadProgressInfo, as an SM-DP+ sends it (SGP.22 v2.5 sections 5.3.5 and 6.5.2)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from provisioning.domain.identifiers import from_the_wire
from provisioning.domain.life import Report
from shared.contracts import InstallState

SOURCE = "es2plus-notification"
_SUCCESS = "Executed-Success"
_SHOWN = 64
#: 1 eligibility check and 2 confirmation failure say nothing about where the profile is.
_POINTS: dict[str, InstallState] = {
    "3": "downloaded",
    "4": "installed",
    "5": "deleted",
    "download": "downloaded",
    "downloaded": "downloaded",
    "bppdownload": "downloaded",
    "install": "installed",
    "installed": "installed",
    "installation": "installed",
    "bppinstallation": "installed",
    "enable": "enabled",
    "enabled": "enabled",
    "disable": "disabled",
    "disabled": "disabled",
    "delete": "deleted",
    "deleted": "deleted",
    "deletion": "deleted",
}


def _utc(value: object) -> object:
    """Vendors leave the zone out; the specification means UTC."""
    if not isinstance(value, str):
        raise ValueError("a timestamp such as 2026-05-01T12:00:00Z is expected")  # noqa: TRY004 - pydantic's own way
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class _Wire(BaseModel):
    """Fields we do not know are not ours to refuse."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Header(_Wire):
    """Both are mandatory (SGP.22 v2.5 section 6.5.1.3)."""

    requester: str = Field(alias="functionRequesterIdentifier", min_length=1, max_length=200)
    call: str = Field(alias="functionCallIdentifier", min_length=1, max_length=200)


class StatusCode(_Wire):
    """Why a step failed."""

    subject_code: str = Field("", alias="subjectCode", max_length=40)
    reason_code: str = Field("", alias="reasonCode", max_length=40)


class PointStatus(_Wire):
    """How a step ended."""

    status: str = Field(max_length=100)
    code: StatusCode | None = Field(None, alias="statusCodeData")


class Progress(_Wire):
    """One notification. `resultData` is signed by the device and of no use to us; it is not read."""

    header: Header
    iccid: str = Field(pattern=r"^[0-9]{18,20}$|^[0-9]{19}[Ff]$")
    profile_type: str = Field(alias="profileType", max_length=200)
    timestamp: Annotated[AwareDatetime, BeforeValidator(_utc)]
    point: int | str = Field(alias="notificationPointId")
    status: PointStatus = Field(alias="notificationPointStatus")
    eid: str | None = Field(None, max_length=64)

    @property
    def printed_iccid(self) -> str:
        """Without the filler."""
        return from_the_wire(self.iccid)

    def report(self, vendor_points: Mapping[str, InstallState]) -> Report:
        """What it says. `vendor_points`: an operator's own codes, beside those of the specification."""
        name = str(self.point).strip().lower()
        state = vendor_points.get(name) or _POINTS.get(name.replace(" ", "").replace("-", "").replace("_", ""))
        succeeded = self.status.status == _SUCCESS
        at = self.timestamp.astimezone(UTC)
        return Report(
            source=SOURCE,
            at=at,
            install=state or "unknown" if succeeded else "unknown",
            install_since=at,
            eid=self.eid,
            failed=not succeeded,
        )

    def detail(self) -> dict[str, Any]:
        """What is kept of it, for people."""
        code = self.status.code
        return {
            "point": self.point if isinstance(self.point, int) else self.point[:_SHOWN],
            "status": self.status.status[:_SHOWN],
            "codes": f"{code.subject_code}/{code.reason_code}" if code else None,
        }
