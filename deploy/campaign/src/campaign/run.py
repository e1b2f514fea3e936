"""One run: traffic and scheduled faults for so long, then quiet, then the judge."""

import asyncio
import random
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

from campaign import report
from campaign.erasures import remains
from campaign.evidence import keep, keep_late
from campaign.faults import PERFORM
from campaign.journeys import Journey
from campaign.judge import Violation, unclear, unfinished, violations
from campaign.ledgers import Ledgers, Reader, facts_of
from campaign.receivers import Receivers
from campaign.scene import Record, Scene, Stage
from campaign.schedule import SHOPS, Fault
from campaign.shops import Shops
from campaign.traffic import REFUSED, Traffic
from hostile.context import Context
from hostile.findings import Findings
from hostile.judge import Judge
from hostile.kafka import Writing
from hostile.sender import Sender
from hostile.target import Target, of_site
from local_stack.product import support_mail_keys
from sandbox.client import SandboxClient
from tour.expectations import UnmetError

_LOOK_SECONDS = 2.0
#: The least that the services have to become quiet, however long the orders took.
_SETTLE_SECONDS = 45.0
#: Of so many orders that were late after a kill the evidence is kept.
_LATE = 10


@dataclass
class Plan:
    """What a run is: its seed, its faults, how many buyers a second, and how long it waits for quiet at the end."""

    seed: int
    seconds: float
    faults: Sequence[Fault]
    rate: float
    quiet_seconds: float
    #: Whether logs and traces are this run's alone, so that they can be judged.
    own_logs: bool = True


@dataclass
class Result:
    """What a run brought."""

    plan: Plan
    journeys: list[Journey]
    ledgers: Ledgers
    records: list[Record]
    violations: list[Violation]
    table: list[report.Row]
    quiet_after: float
    outcomes: list[report.Outcome]

    def body(self) -> dict[str, Any]:
        """As the file of the run has it."""
        problems = [asdict_of(journey) for journey in self.journeys if journey.problem]
        return {
            "seed": self.plan.seed,
            "seconds": self.plan.seconds,
            "orders": sum(journey.order is not None for journey in self.journeys),
            "paid": sum(journey.paid_at is not None for journey in self.journeys),
            "journeys": report.kinds(self.journeys),
            "kills": sum(record.kills for record in self.records),
            "faults": [asdict(record) for record in self.records],
            "table": report.as_json(self.table),
            "after_kills_alone": report.after_kills_alone(self.records, self.outcomes),
            "without_fault": report.unhurt(self.records, self.outcomes),
            "outcomes": [
                [outcome.journey.number, outcome.journey.kind, outcome.paid_at, outcome.ended_at]
                for outcome in self.outcomes
            ],
            "quiet_after_seconds": round(self.quiet_after, 1),
            "mails_twice": len(self.ledgers.mails) - len({mail["message_id"] for mail in self.ledgers.mails}),
            "gave_up": problems,
            "violations": [asdict(violation) for violation in self.violations],
        }


def asdict_of(journey: Journey) -> dict[str, Any]:
    """A journey in short."""
    number = journey.order.number if journey.order else None
    return {"number": journey.number, "kind": journey.kind, "order": number, "problem": journey.problem}


async def run(
    stack: Stage, disks: dict[str, Path], plan: Plan, tell: Callable[[str], None], target: Target | None = None
) -> Result:
    """Run it on a started stack. `tell` gets the one line of progress; `target`: where it is not a local stack's."""
    target = target or of_site(stack.state)
    mark = f"kanareika{secrets.token_hex(6)}"
    site = stack.state
    urls = {name: site.url(name) for name in ("ordering", "payments", "provisioning", "notifications", "refunds")}
    agent_key = next(iter(site.agent_keys.values()))
    findings = Findings()
    async with (
        SandboxClient(site.url("sandbox")) as sandbox,
        Shops(urls | {"bank": sandbox.bank_url}, site.storefront_keys, agent_key, support_mail_keys(site)) as buying,
    ):
        with Receivers() as receivers:
            shops = buying.at(target)
            await sandbox.faults(REFUSED)
            reader = Reader(sandbox, receivers)
            await reader.begin()
            await receivers.register(shops, SHOPS)
            traffic = Traffic(shops, sandbox, plan.seed, mark, plan.rate)
            sender = Sender(findings)
            rng = random.Random(plan.seed)
            hostile = Context(target, rng, findings, sender, buying, sandbox, writing=Writing(target, findings))
            scene = Scene(stack, sandbox, traffic, receivers, hostile, disks)
            try:
                await _storm(scene, plan, tell)
                return await _judged(scene, reader, plan, tell)
            finally:
                await sender.close()
                await receivers.forget(shops)


async def _storm(scene: Scene, plan: Plan, tell: Callable[[str], None]) -> None:
    """Traffic and faults; at the end all faults are lifted."""
    began = time.monotonic()
    traffic = asyncio.create_task(scene.traffic.run())
    progress = asyncio.create_task(_progress(scene, began, plan, tell))
    running: list[asyncio.Task[Record]] = []
    try:
        for fault in plan.faults:
            await asyncio.sleep(max(0.0, began + fault.at - time.monotonic()))
            running.append(asyncio.create_task(scene.perform(fault, PERFORM[fault.kind])))
        await asyncio.sleep(max(0.0, began + plan.seconds - time.monotonic()))
        await asyncio.gather(*running)
    finally:
        for task in (traffic, progress, *running):
            task.cancel()
        await asyncio.gather(traffic, progress, *running, return_exceptions=True)


async def _judged(scene: Scene, reader: Reader, plan: Plan, tell: Callable[[str], None]) -> Result:
    began = time.monotonic()
    tell("waiting until the last buyers are done")
    await scene.traffic.end(plan.quiet_seconds)
    journeys = scene.traffic.journeys
    ledgers = await reader.read()
    while (left := unfinished(journeys, ledgers)) and time.monotonic() < began + plan.quiet_seconds:
        tell(f"waiting until {len(left)} orders have ended, {time.monotonic() - began:.0f} s")
        await asyncio.sleep(_LOOK_SECONDS)
        ledgers = await reader.read()
    seconds = began + plan.quiet_seconds - time.monotonic()
    found = await _settled(scene, seconds, tell, own_logs=plan.own_logs)
    found += await remains(scene, journeys, max(10.0, began + plan.quiet_seconds - time.monotonic()))
    quiet_after = time.monotonic() - began
    ledgers = await reader.read()
    statuses = await _statuses(scene, unclear(journeys, ledgers))
    lost = [(journey, problem) for journey in journeys if (problem := await scene.traffic.lost(journey))]
    found = [
        *violations(journeys, ledgers, statuses),
        *(Violation("I1", problem, journey=journey.number) for journey, problem in lost),
        *found,
        *_of_faults(scene.records),
    ]
    outcomes = [
        report.Outcome(journey, journey.paid_at, facts.first_outcome)
        for journey in journeys
        if journey.paid_at is not None and (facts := facts_of(journey, ledgers)) is not None
    ]
    table = report.rows(scene.records, outcomes, found)
    result = Result(plan, journeys, ledgers, scene.records, found, table, quiet_after, outcomes)
    folder = scene.stack.directory / str(plan.seed)
    await keep(scene, result.ledgers, found, folder)
    late = report.slowest_after_kills(scene.records, outcomes, _LATE)
    await keep_late(scene, result.ledgers, late, folder)
    return result


async def _settled(scene: Scene, seconds: float, tell: Callable[[str], None], *, own_logs: bool) -> list[Violation]:
    """Lag and outbox go to zero, every service is ready (I6, I11); nobody's name in a log (I12)."""
    tell("waiting until nothing is left to do")
    findings = Findings()
    target = scene.hostile.target
    served = type(target)(target.site, target.access_as, target.prefix, tuple(scene.stack.services))
    judge = Judge(served, findings)
    try:
        await judge.settle(max(_SETTLE_SECONDS, seconds))
    except httpx.HTTPError as error:
        findings.found("the services", "did not settle", "one is away", repr(error))
    if own_logs:
        await asyncio.to_thread(judge.read_logs, scene.traffic.mark)
    kinds = {"personal data in a log": "I12", "did not settle": "I11", "a traceback in a log": "log"}
    return [
        Violation(kinds.get(finding.kind, "services"), f"{finding.kind}: {finding.input}: {finding.observed}")
        for finding in findings.kept
    ]


async def _statuses(scene: Scene, journeys: Sequence[Journey]) -> dict[str, str]:
    statuses = {}
    for journey in journeys:
        if journey.order is not None:
            with suppress(UnmetError):
                statuses[journey.order.id] = await scene.traffic.shops.status(journey.order)
    return statuses


def _of_faults(records: Sequence[Record]) -> list[Violation]:
    """A part that does not come back after a fault is one."""
    return [
        Violation("recovery", f"{record.fault.kind} {record.fault.target}: {record.failure}")
        for record in records
        if record.failure
    ]


async def _progress(scene: Scene, began: float, plan: Plan, tell: Callable[[str], None]) -> None:
    while True:
        journeys = scene.traffic.journeys
        paid = sum(journey.paid_at is not None for journey in journeys)
        kills = sum(record.kills for record in scene.records)
        now = ", ".join(record.fault.kind for record in scene.records if record.lifted is None)
        tell(
            f"{time.monotonic() - began:.0f} of {plan.seconds:.0f} s, {len(journeys)} buyers, {paid} paid, "
            f"{len(scene.records)} faults, {kills} kills, now: {now or 'none'}"
        )
        await asyncio.sleep(1)
