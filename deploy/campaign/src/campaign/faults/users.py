"""What happens on any day: a shop's receiver is away, a buyer is erased."""

import asyncio
import random

from campaign.scene import Record, Scene, lifted
from campaign.schedule import Fault
from campaign.traffic import erase


async def receiver_away(scene: Scene, fault: Fault, record: Record) -> None:
    """The shop's receiver refuses its webhooks, or cuts the connection."""
    scene.receivers.away(fault.target, cut=bool(fault.seed % 2))
    await asyncio.sleep(fault.seconds)
    scene.receivers.back(fault.target)
    lifted(record)


async def erasure(scene: Scene, fault: Fault, record: Record) -> None:
    """A buyer whose order is under way, or was a moment ago, is erased."""
    rng = random.Random(fault.seed)
    recent = [
        journey
        for journey in scene.traffic.journeys[-12:]
        if journey.kind in {"bought", "never made"} and journey.paid_at
    ]
    if recent:
        await erase(scene.traffic, rng.choice(recent))
    lifted(record)
