"""Control plays the phone: it downloads, installs, uses and deletes profiles, and the SM-DP+ tells the shop."""

import uuid
from typing import Any

import httpx

from sandbox.clock import now
from sandbox.outward import new_client
from sandbox.smdp.api import PROTOCOL
from sandbox.smdp.es2plus import on_wire
from sandbox.smdp.ledger import InstallState, OperatorLedger, Profile

_STATE_AFTER: dict[int, InstallState] = {3: "downloaded", 4: "installed", 5: "deleted"}


class Phone:
    """Does what a phone does, and sends ES2+.HandleDownloadProgressInfo (SGP.22 v2.5 §5.3.5)."""

    def __init__(self, ledger: OperatorLedger, progress_url: str) -> None:
        self._ledger = ledger
        self.progress_url = progress_url
        self._client = new_client(timeout=10)

    async def step(self, profile: Profile, point: int | str, *, succeeded: bool, url: str) -> int | None:
        """One notification point reached; the answer's HTTP status, None if nobody is to be told or answers."""
        state = _STATE_AFTER.get(int(point)) if str(point).isdigit() else None
        if succeeded and state is not None:
            profile.install_state = state
            profile.install_state_at = now()
            self._ledger.record(profile)
        target = url or self.progress_url
        if not target:
            return None
        try:
            answer = await self._client.post(
                target,
                json=_notification(profile, point, succeeded=succeeded),
                headers={"x-admin-protocol": PROTOCOL},
            )
        except (httpx.HTTPError, httpx.InvalidURL):
            return None
        return answer.status_code

    def use(self, profile: Profile, used_bytes: int | None) -> None:
        """The data counter now stands here; None makes the operator forget what it knew."""
        at = now()
        profile.used_bytes = used_bytes
        profile.used_bytes_at = at
        if used_bytes and profile.first_use_at is None:
            profile.first_use_at = at
        self._ledger.record(profile)

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()


def _notification(profile: Profile, point: int | str, *, succeeded: bool) -> dict[str, Any]:
    body: dict[str, Any] = {
        "header": {
            "functionRequesterIdentifier": "sandbox-operator",
            "functionCallIdentifier": str(uuid.uuid4()),
        },
        "iccid": on_wire(profile.iccid),
        "profileType": profile.profile_type,
        "timestamp": now()[:19] + "Z",
        "notificationPointId": point,
        "notificationPointStatus": {"status": "Executed-Success" if succeeded else "Failed"},
    }
    return body | ({"eid": profile.eid} if profile.eid else {})
