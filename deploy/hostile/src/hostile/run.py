"""One run: attacks from a seed for so many seconds, good orders meanwhile, the judge throughout."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from hostile.attacks import connections, outside, own_topics, people, schemas, shops, webhooks
from hostile.context import Attack, Context
from hostile.findings import Findings
from hostile.good import GoodOrders, wait_for_ends
from hostile.judge import Judge
from hostile.kafka import Writing
from hostile.sender import Sender
from hostile.target import Target
from tour.buying import buying_at

#: How often each is chosen.
ATTACKS: dict[Attack, int] = {
    shops.orders: 6,
    shops.submissions: 6,
    own_topics.records: 3,
    own_topics.batches: 1,
    outside.mail_server: 1,
    outside.answers: 1,
    webhooks.bank: 3,
    webhooks.operator: 4,
    webhooks.usage: 4,
    webhooks.reseller: 3,
    webhooks.telegram: 4,
    webhooks.whatsapp: 4,
    webhooks.bounce: 4,
    people.sign_in: 2,
    people.account_page: 3,
    people.refund_request: 4,
    people.readiness: 1,
    connections.raw: 2,
}
_AT_ONCE = 4
_GOOD_EVERY_SECONDS = 2.0
_SETTLE_SECONDS = 90.0


def prepare(folder: Path) -> Path:
    """Make the folder of a run's reports."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def run(
    target: Target,
    seconds: float,
    seed: int,
    folder: Path,
    tell: Callable[[str], None],
    *,
    explored: Sequence[str] | None = None,
) -> Findings:
    """Attack for so long, then wait until all is quiet. `folder` exists; `tell` gets a line of progress.

    Schemathesis has the same time for all the services of the target, or for those named in `explored` alone.
    """
    findings = Findings()
    ends = time.monotonic() + seconds
    async with buying_at(target.site) as (buying, sandbox):
        sender = Sender(findings)
        context = Context(
            target, random.Random(seed), findings, sender, buying, sandbox, writing=Writing(target, findings)
        )
        good = GoodOrders(buying, findings, target.shops, context.paid)
        judge = Judge(target, findings)
        beside = [
            asyncio.create_task(task)
            for task in (good.run(_GOOD_EVERY_SECONDS), judge.watch(), _progress(findings, ends, seconds, tell))
        ]
        try:
            await asyncio.gather(
                *(_attack(context, random.Random(f"{seed}/{one}"), ends) for one in range(_AT_ONCE)),
                _explore(context, explored or target.services, seconds, folder),
            )
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await sender.close()
        tell("waiting until everything has ended")
        await outside.end_faults(context)
        await good.end_regularly(_SETTLE_SECONDS)
        await wait_for_ends(buying, findings, "orders with odd mail replies", context.odd_mails, _SETTLE_SECONDS)
        await judge.settle(_SETTLE_SECONDS)
        await asyncio.to_thread(judge.read_logs, good.mark)
    return findings


async def _attack(context: Context, rng: random.Random, ends: float) -> None:
    attacks, weights = list(ATTACKS), list(ATTACKS.values())
    own = context.of(rng)
    while time.monotonic() < ends:
        await rng.choices(attacks, weights)[0](own)


async def _explore(context: Context, services: Sequence[str], seconds: float, folder: Path) -> None:
    for service in services:
        await schemas.explore(context, service, seconds / len(services), folder)


async def _progress(findings: Findings, ends: float, seconds: float, tell: Callable[[str], None]) -> None:
    with suppress(asyncio.CancelledError):
        while True:
            tried, found = findings.tried.total(), findings.kinds.total()
            tell(
                f"{seconds - max(0.0, ends - time.monotonic()):.0f} of {seconds:.0f} s, {tried} tried, {found} findings"
            )
            await asyncio.sleep(1)
