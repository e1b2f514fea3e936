"""Parses ES2+.HandleDownloadProgressInfo of an SM-DP+ (SGP.22 v2.5 sections 5.3.5 and 6.5.2).

The ICCID is required; point and status decide what is reported. Any other field that cannot be parsed is unknown and
counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from provisioning.clients.fields import Unparsed, eid, iccid, opaque, read_object, text, utc_moment, word
from provisioning.clients.reports import Report
from shared.contracts import InstallState

SOURCE = "es2plus-notification"
#: Source of a notification without a time that can be read: the time of receipt is used.
UNDATED = "es2plus-notification-undated"
NAME = "notification"
_SUCCESS = {"executedsuccess", "executedwithwarning", "executed", "success"}
_FAILURE = {"failed", "expired"}
_SHOWN = 64
#: Eligibility check and confirmation failure: they do not show the install state.
_WITHOUT_STATE = {"1", "2"}
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


@dataclass(frozen=True, slots=True)
class Progress:
    """One notification. `resultData` is signed by the device; it is not needed and not read.

    `state`: the install state after the step, if it succeeded. `succeeded` None: the status could not be parsed, so it
    is unknown how the step ended. `at` None: undated.
    """

    iccid: str
    point: str | None
    state: InstallState
    succeeded: bool | None
    status: str
    codes: str | None
    at: datetime | None
    eid: str | None
    call: str | None

    def report(self, received_at: datetime) -> Report:
        """The notification as a report."""
        at = self.at or received_at
        return Report(
            source=SOURCE if self.at else UNDATED,
            at=at,
            install=self.state if self.succeeded else "unknown",
            install_since=at,
            eid=self.eid,
            failed=self.succeeded is False,
        )

    def same(self, received_at: datetime) -> tuple[str, ...]:
        """The values that are equal in repetitions of the same notification.

        The call's identifier is left out where there is a time: a vendor may give a repetition a new one. Without a
        time only the identifier distinguishes a repetition from the same step taken again.
        """
        when = self.at.isoformat() if self.at else f"call {self.call}" if self.call else received_at.isoformat()
        return (self.iccid, self.point or "", when, self.status, self.eid or "")

    def detail(self) -> dict[str, Any]:
        """The values that are stored for people."""
        return {"point": self.point, "status": self.status, "codes": self.codes}


def read_notification(body: bytes, vendor_points: Mapping[str, InstallState], unparsed: Unparsed) -> Progress | None:
    """Parse a notification; None where it is no JSON object, or has no ICCID.

    `vendor_points`: an operator's own codes, beside those of the specification.
    """
    fields = read_object(body, NAME, unparsed)
    about = fields.get("iccid", iccid) if fields else None
    if fields is None or about is None:
        return None
    point = fields.get("notificationPointId", _point)
    state = _state_after(point or "", vendor_points)
    if state == "unknown" and point not in _WITHOUT_STATE:
        fields.note("notificationPointId")
    status = fields.child("notificationPointStatus", value_of="status")
    status_text = status.get("status", text(_SHOWN))
    succeeded = _succeeded(word(status_text) or "")
    if succeeded is None:
        status.note("status")
    at = fields.get("timestamp", utc_moment, "timeStamp")
    if at is None:
        fields.note("timestamp")
    code = status.child("statusCodeData")
    subject, reason = code.get("subjectCode", opaque(40)), code.get("reasonCode", opaque(40))
    return Progress(
        iccid=about,
        point=point,
        state=state,
        succeeded=succeeded,
        status=status_text or "",
        codes=f"{subject or ''}/{reason or ''}" if subject or reason else None,
        at=at,
        eid=fields.get("eid", eid),
        call=fields.child("header").get("functionCallIdentifier", text(200)),
    )


def _succeeded(status: str) -> bool | None:
    """Whether the step was taken: `Executed-Success` or `Executed-WithWarning`, in any spelling."""
    return True if status in _SUCCESS else False if status in _FAILURE else None


def _state_after(point: str, vendor_points: Mapping[str, InstallState]) -> InstallState:
    return vendor_points.get(point.lower()) or _POINTS.get(word(point) or "", "unknown")


def _point(value: object) -> str | None:
    return text(_SHOWN)(int(value) if isinstance(value, float) and value.is_integer() else value)
