"""What an erased buyer leaves behind (I12): nothing in any table, and every service has confirmed it."""

import asyncio
import time
from collections.abc import Sequence

from campaign.journeys import Journey
from campaign.judge import Violation
from campaign.scene import Scene
from shared.testing.search import Needles, tables
from tour.expectations import UnmetError, until

_LOOK_SECONDS = 1.0


async def remains(scene: Scene, journeys: Sequence[Journey], seconds: float) -> list[Violation]:
    """Waits so long until the erasures are confirmed, then searches the services' databases."""
    erased = [journey for journey in journeys if journey.erased and journey.order is not None]
    deadline = time.monotonic() + seconds
    found = []
    for journey in erased:
        if not journey.erasure:
            continue

        async def done(journey: Journey = journey) -> bool | None:
            return await _state(scene, journey) == "done" or None

        try:
            left = max(_LOOK_SECONDS, deadline - time.monotonic())
            await until(done, "every service confirms the erasure", seconds=left, every=_LOOK_SECONDS)
        except UnmetError:
            found.append(_violation(journey, f"the erasure is {await _state(scene, journey)}"))
    databases = {name: scene.stack.state.databases[name] for name in scene.stack.services}
    for journey in erased:
        needles = Needles([*journey.emails, journey.phone[1:]])
        for name, url in databases.items():
            places = await asyncio.to_thread(tables, url, needles)
            found += [_violation(journey, f"an erased buyer is in {name}.{place}") for place in places]
    return found


async def _state(scene: Scene, journey: Journey) -> str:
    assert journey.order is not None  # noqa: S101 - only such are asked for
    try:
        proof = await scene.traffic.shops.proof(journey.order, journey.erasure)
    except UnmetError as error:
        return str(error)
    return str(proof["state"])


def _violation(journey: Journey, text: str) -> Violation:
    return Violation("I12", text, journey.order.number if journey.order else "", journey.number)
