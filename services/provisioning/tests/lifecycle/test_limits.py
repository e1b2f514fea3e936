"""What an operator's secret lets anybody append is limited, by counts that concurrent reports cannot pass."""

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import httpx
import pytest

from provisioning.lifecycle import observation
from shared.contracts import ProfileGenerated
from shared.testing.documents import JsonObject

if TYPE_CHECKING:
    from services.provisioning.tests.lifecycle.conftest import LifecycleProvisioning, StartLifecycle

PATH = "/operators/primary/gsma/rsp2/es2plus/handleDownloadProgressInfo"
MOST = 5


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observation, "MOST_REPORTS", MOST)
    monkeypatch.setattr(observation, "MOST_UNKNOWN", MOST)


def message(iccid: str, number: int) -> JsonObject:
    """One of different notifications about a profile, none of which changes its state."""
    return {
        "iccid": iccid,
        "notificationPointId": 3,
        "notificationPointStatus": {"status": "Executed-Success"},
        "timestamp": f"2026-01-01T00:00:{number:02}Z",
    }


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("whose", ["a profile", "nobody"])
async def test_reports_of_a_day_are_limited(start_lifecycle: "StartLifecycle", whose: str) -> None:
    running = await start_lifecycle()
    made = await running.sold()
    iccid = made.iccid if whose == "a profile" else "8999999999999999990"

    async def send(number: int, iccid: str = iccid) -> httpx.Response:
        return await running.post(PATH, message(iccid, number), authorization="Bearer notify-secret")

    answers = await asyncio.gather(*map(send, range(3 * MOST)))

    assert Counter(answer.status_code for answer in answers) == {204: MOST, 429: 2 * MOST}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["type"] == "urn:problem:too-many-reports"
    stored = await running.rows(f"SELECT 1 FROM observations WHERE iccid = '{iccid}'")
    assert len(stored) == MOST
    registry = running.service.metrics.registry
    assert registry.get_sample_value("limits_reached_total", {"limit": "reports"}) == 2 * MOST
    # A repetition of what is stored stays accepted, and other profiles are not affected.
    accepted = next(number for number, answer in enumerate(answers) if answer.status_code == 204)
    assert (await send(accepted)).status_code == 204
    other = await _another(running, made)
    assert (await send(0, other.iccid)).status_code == 204
    await running.write("UPDATE observations SET received_at = received_at - interval '1 day'")
    assert (await send(59)).status_code == 204


async def _another(running: "LifecycleProvisioning", made: ProfileGenerated) -> ProfileGenerated:
    other = await running.sold()
    assert other.iccid != made.iccid
    return other
