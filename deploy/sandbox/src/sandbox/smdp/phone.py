"""Control plays the phone: it scans codes, downloads, installs, uses and deletes profiles, and the operator tells.

What is sent: ES2+.HandleDownloadProgressInfo (SGP.22 v2.5 §5.3.5), and a signed push of the usage feed (README.md).
"""

import hashlib
import hmac
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import httpx

from sandbox.clock import now
from sandbox.exchange import overlay
from sandbox.outward import new_client
from sandbox.smdp.behaviour import Behaviour
from sandbox.smdp.es2plus import FailedError, on_wire
from sandbox.smdp.ledger import ON_A_DEVICE, InstallState, OperatorLedger, Profile
from sandbox.smdp.top_ups import later

Step = Literal["download", "install", "enable", "disable", "delete"]
Signature = Literal["genuine", "wrong", "missing"]
#: 1 to 5 are the standard's; for enabling and disabling this vendor has words of its own.
ELIGIBILITY = 1
POINTS: dict[Step, int | str] = {
    "download": 3,
    "install": 4,
    "delete": 5,
    "enable": "enabled",
    "disable": "disabled",
}
_AFTER: dict[Step, InstallState] = {
    "download": "downloaded",
    "install": "installed",
    "enable": "enabled",
    "disable": "disabled",
    "delete": "deleted",
}
_STATE_AFTER: dict[str, InstallState] = {str(POINTS[step]): state for step, state in _AFTER.items()}


@dataclass(frozen=True, slots=True)
class Push:
    """A usage push as it left, kept so that it can be replayed."""

    body: bytes
    headers: dict[str, str]


@dataclass
class Phone:
    """Everything that happens to one operator's profiles on devices."""

    ledger: OperatorLedger
    progress_url: str = ""
    push_url: str = ""
    push_secret: str = ""
    behaviour: Behaviour = field(default_factory=Behaviour)
    pushes: dict[str, Push] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._client = new_client(timeout=10)

    async def step(
        self, profile: Profile, point: int | str, *, succeeded: bool, url: str, eid: str | None = None, **more: Any
    ) -> int | None:
        """One notification point reached; the answer's HTTP status, None if there is no address, or no answer."""
        state = _STATE_AFTER.get(str(point))
        if succeeded and state is not None:
            profile.eid = profile.eid or eid
            profile.install_state = state
            profile.install_state_at = now()
            self.ledger.record(profile)
        return await self._notify(profile, point, eid or profile.eid, None if succeeded else {}, url, more)

    async def scan(
        self, matching_id: str, eid: str, steps: Sequence[Step], *, strings: bool
    ) -> tuple[Profile | None, FailedError | None, list[int | None]]:
        """A phone reads a code and goes these steps: the profile, why it was refused, how notifications were answered.

        A refusal of a known profile is reported to the shop too, as a failed eligibility check with the phone's EID.
        """
        iccid = self.ledger.owner_of(matching_id)
        profile = self.ledger.get(iccid) if iccid else None
        if profile is None:
            return None, FailedError("8.2.6", "3.8", "the code is not valid (any more)"), []
        answers: list[int | None] = []
        for step in steps:
            refusal = _refusal(profile, eid, step)
            if refusal is not None:
                code = {"subjectCode": refusal.subject, "reasonCode": refusal.reason, "message": refusal.message}
                point = str(ELIGIBILITY) if strings else ELIGIBILITY
                answers.append(await self._notify(profile, point, eid, code, "", {}))
                return profile, refusal, answers
            point = str(POINTS[step]) if strings else POINTS[step]
            answers.append(await self.step(profile, point, succeeded=True, url="", eid=eid))
        return profile, None, answers

    async def use(self, profile: Profile, used_bytes: int | None, valid_until: str | None = None) -> int | None:
        """The data counter now stands here; None makes the operator forget what it knew. Tells where a push goes."""
        at = now()
        profile.used_bytes = used_bytes
        profile.used_bytes_at = at
        if used_bytes and profile.first_use_at is None:
            profile.first_use_at = at
            profile.valid_until = later(at, profile.validity_days)
        profile.valid_until = valid_until or profile.valid_until
        self.ledger.record(profile)
        return await self.push(profile) if self.push_url else None

    async def push(
        self, profile: Profile, *, fields: dict[str, Any] | None = None, signature: Signature = "genuine", url: str = ""
    ) -> int | None:
        """Tell the shop the usage; the answer's HTTP status. `fields` are written over it before it is signed."""
        body = json.dumps(overlay(self.behaviour.push_document(push_document(profile)), fields or {})).encode()
        headers = {"content-type": "application/json"}
        if signature != "missing":
            secret = self.push_secret if signature == "genuine" else f"not-{self.push_secret}"
            headers["x-signature"] = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        self.pushes[profile.iccid] = Push(body, headers)
        return await self._post(url or self.push_url, body, headers)

    async def replay(self, profile: Profile, url: str = "") -> int | None:
        """The last push of this profile once more, to the letter; None where there was none."""
        last = self.pushes.get(profile.iccid)
        return await self._post(url or self.push_url, last.body, last.headers) if last else None

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()

    async def _notify(
        self,
        profile: Profile,
        point: int | str,
        eid: str | None,
        failure: dict[str, str] | None,
        url: str,
        more: dict[str, Any],
    ) -> int | None:
        body = overlay(self.behaviour.notification(_notification(profile, point, eid, failure)), more)
        headers = {"content-type": "application/json"}
        if self.behaviour.protocol:
            headers["x-admin-protocol"] = self.behaviour.protocol
        return await self._post(url or self.progress_url, json.dumps(body).encode(), headers)

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> int | None:
        if not url:
            return None
        try:
            answer = await self._client.post(url, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL):
            return None
        return answer.status_code


def _refusal(profile: Profile, eid: str, step: Step) -> FailedError | None:
    """What the SM-DP+ or the phone says no to (SGP.22 v2.5 §5.6.3: a profile stays with its first EID)."""
    if profile.eid is not None and profile.eid != eid:
        return FailedError("8.1.1", "3.10", "the profile is bound to another device")
    state = profile.install_state
    if step == "download":
        if profile.state != "released":
            return FailedError("8.2", "1.2", "the profile has not been released")
        return FailedError("8.2.1", "3.3", "the profile was installed before") if _spent(state) else None
    if step == "install":
        return None if state == "downloaded" else FailedError("8.2.1", "3.3", "there is nothing to install")
    return None if state in ON_A_DEVICE else FailedError("8.2.1", "3.9", "the profile is not on this device")


def _spent(state: InstallState) -> bool:
    return state in ON_A_DEVICE or state == "deleted"


def push_document(profile: Profile) -> dict[str, Any]:
    """What a usage push says; null means the operator does not know."""
    return {
        "id": str(uuid.uuid4()),
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "iccid": profile.iccid,
        "usedBytes": profile.used_bytes,
        "usedBytesAt": profile.used_bytes_at,
        "firstUseAt": profile.first_use_at,
        "installState": profile.install_state,
        "installStateAt": profile.install_state_at,
    }


def _notification(
    profile: Profile, point: int | str, eid: str | None, failure: dict[str, str] | None
) -> dict[str, Any]:
    status: dict[str, Any] = {"status": "Executed-Success" if failure is None else "Failed"}
    if failure:
        status["statusCodeData"] = failure
    body: dict[str, Any] = {
        "header": {
            "functionRequesterIdentifier": "sandbox-operator",
            "functionCallIdentifier": str(uuid.uuid4()),
        },
        "iccid": on_wire(profile.iccid),
        "profileType": profile.profile_type,
        "timestamp": now()[:19] + "Z",
        "notificationPointId": point,
        "notificationPointStatus": status,
    }
    return body | ({"eid": eid} if eid else {})
