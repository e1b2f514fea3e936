"""ES2+.HandleDownloadProgressInfo, as an SM-DP+ sends it (SGP.22 v2.5 sections 5.3.5 and 6.5.2).

The ICCID decides what it is about; point and status decide what it says. Of all else nothing may cost the message:
what is not understood reads as unknown and is counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from provisioning.clients.fields import Unparsed, eid, iccid, opaque, read_object, text, utc_moment, word
from provisioning.clients.reports import Report
from shared.contracts import InstallState

SOURCE = "es2plus-notification"
#: The notification had no time that could be read; its facts carry the time of receipt.
UNDATED = "es2plus-notification-undated"
NAME = "notification"
_SUCCESS = {"executedsuccess", "executedwithwarning", "executed", "success"}
_FAILURE = {"failed", "expired"}
_SHOWN = 64
#: Eligibility check and confirmation failure: they say nothing about where the profile is.
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
    """One notification. `resultData` is signed by the device and of no use to us; it is not read.

    `state`: where the profile is after the step, if it succeeded. `succeeded` None: the status was not understood, so
    nobody knows how the step ended. `at` None: undated.
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
        """What it says."""
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
        """What two tellings of the same have in common.

        The call's identifier is left out where there is a time: a vendor that repeats a notification may give it a new
        one. Without a time it is all there is to tell a repetition from the same step taken again.
        """
        when = self.at.isoformat() if self.at else f"call {self.call}" if self.call else received_at.isoformat()
        return (self.iccid, self.point or "", when, self.status, self.eid or "")

    def detail(self) -> dict[str, Any]:
        """What is kept of it, for people."""
        return {"point": self.point, "status": self.status, "codes": self.codes}


def read_notification(body: bytes, vendor_points: Mapping[str, InstallState], unparsed: Unparsed) -> Progress | None:
    """A notification; None where it is no JSON object, or names no ICCID.

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
    said = status.get("status", text(_SHOWN))
    succeeded = _succeeded(word(said) or "")
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
        status=said or "",
        codes=f"{subject or ''}/{reason or ''}" if subject or reason else None,
        at=at,
        eid=fields.get("eid", eid),
        call=fields.child("header").get("functionCallIdentifier", text(200)),
    )


def _succeeded(status: str) -> bool | None:
    """`Executed-Success` and `Executed-WithWarning` are a step that was taken, however they are spelled."""
    return True if status in _SUCCESS else False if status in _FAILURE else None


def _state_after(point: str, vendor_points: Mapping[str, InstallState]) -> InstallState:
    return vendor_points.get(point.lower()) or _POINTS.get(word(point) or "", "unknown")


def _point(value: object) -> str | None:
    return text(_SHOWN)(int(value) if isinstance(value, float) and value.is_integer() else value)
