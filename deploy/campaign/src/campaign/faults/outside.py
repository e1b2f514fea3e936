"""The companies outside answer late, wrongly or not at all, and their webhooks come twice, late or forged."""

import asyncio
import random
import time
from collections.abc import Mapping
from typing import Any

from campaign.scene import Record, Scene, lifted
from campaign.schedule import Fault
from hostile.attacks import webhooks

_WEBHOOKS = ("bank.webhook", "airalo.webhook", "telegram.webhook")


async def replies_lost(scene: Scene, fault: Fault, record: Record) -> None:
    """The call takes effect, and its answer is lost."""
    await _rules(scene, fault, record, {"target": fault.target, "effect": "lose_reply"})


async def timeouts(scene: Scene, fault: Fault, record: Record) -> None:
    """The call takes effect, and its answer comes when nobody waits any more."""
    await _rules(scene, fault, record, {"target": fault.target, "effect": "delay", "seconds": 12})


async def too_many_requests(scene: Scene, fault: Fault, record: Record) -> None:
    """429, sometimes with Retry-After."""
    headers = {"retry-after": "2"} if fault.seed % 2 else {}
    await _rules(
        scene, fault, record, {"target": fault.target, "effect": "http_error", "status": 429, "headers": headers}
    )


async def server_errors(scene: Scene, fault: Fault, record: Record) -> None:
    """500, 502 or 503."""
    status = (500, 502, 503)[fault.seed % 3]
    await _rules(scene, fault, record, {"target": fault.target, "effect": "http_error", "status": status})


async def partial_bodies(scene: Scene, fault: Fault, record: Record) -> None:
    """The answer ends in its middle."""
    await _rules(scene, fault, record, {"target": fault.target, "effect": "partial_body"})


async def duplicate_webhooks(scene: Scene, fault: Fault, record: Record) -> None:
    """Webhooks come three times, and old ones again."""
    rng = random.Random(fault.seed)
    invoices = [invoice for journey in scene.traffic.journeys for invoice in journey.invoices if journey.paid_at]
    for invoice in rng.sample(invoices, min(5, len(invoices))):
        await scene.sandbox.resend_webhook(invoice, times=2)
    await _rules(scene, fault, record, *({"target": target, "effect": "duplicate", "count": 3} for target in _WEBHOOKS))


async def webhooks_late(scene: Scene, fault: Fault, record: Record) -> None:
    """Webhooks come after what we have asked ourselves."""
    await _rules(scene, fault, record, *({"target": target, "effect": "delay", "seconds": 6} for target in _WEBHOOKS))


async def answers_late(scene: Scene, fault: Fault, record: Record) -> None:
    """Answers come after the webhooks about the same."""
    await _rules(scene, fault, record, {"target": fault.target, "effect": "delay", "seconds": 2})


async def forged_webhooks(scene: Scene, fault: Fault, record: Record) -> None:
    """Webhooks of all neighbours with wrong words, and genuine ones altered, for orders that are under way."""
    rng = random.Random(fault.seed)
    ends = time.monotonic() + fault.seconds
    hostile = scene.hostile.of(rng)
    attacks = (webhooks.bank, webhooks.operator, webhooks.usage, webhooks.reseller)
    while time.monotonic() < ends:
        await rng.choice(attacks)(hostile)
        opened = [journey for journey in scene.traffic.journeys[-60:] if journey.invoices]
        if opened:
            journey = rng.choice(opened)
            fields = rng.choice(({"code": "error", "reasonCode": 484}, {"amount": 1}, {"code": "ok", "amount": 10**6}))
            journey.forged = True
            if await scene.sandbox.transaction(journey.invoices[-1]) is not None:
                await scene.sandbox.resend_webhook(journey.invoices[-1], fields=fields)
        await asyncio.sleep(0.2)
    lifted(record)


async def _rules(scene: Scene, fault: Fault, record: Record, *rules: Mapping[str, Any]) -> None:
    """These rules are in force for as long as the fault lasts."""
    added = await scene.sandbox.faults(*rules)
    try:
        await asyncio.sleep(fault.seconds)
    finally:
        for rule in added:
            await scene.sandbox.client.delete(f"/control/faults/{rule['id']}")
    lifted(record)
