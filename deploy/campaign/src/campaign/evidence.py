"""For each violation, and for orders that were late after a kill, a folder: the order's steps, its facts at the
companies outside, its trace, the logs' lines.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from campaign.journeys import Journey
from campaign.judge import Violation
from campaign.ledgers import Ledgers, facts_of
from campaign.report import grouped, write
from campaign.scene import Scene
from tour.expectations import UnmetError

_MOST = 30


async def keep(scene: Scene, ledgers: Ledgers, violations: Sequence[Violation], folder: Path) -> None:
    """Write the folders, at most 30; those of an earlier run of the seed are removed."""
    shutil.rmtree(folder, ignore_errors=True)
    journeys = {journey.number: journey for journey in scene.traffic.journeys}
    for order, found in list(grouped(violations).items())[:_MOST]:
        journey = journeys.get(found[0].journey)
        place = folder / order
        body: dict[str, Any] = {"violations": [f"{violation.invariant}: {violation.text}" for violation in found]}
        if journey is not None:
            body |= await _of_order(scene, journey, ledgers)
            _copy_lines(scene, journey, place, _trace_of(body))
        write(place / "facts.json", body)


async def keep_late(scene: Scene, ledgers: Ledgers, journeys: Sequence[Journey], folder: Path) -> None:
    """Write a folder for each of these orders, which broke nothing but were late."""
    for journey in journeys:
        place = folder / f"late-{journey.order.number if journey.order else journey.number}"
        body = await _of_order(scene, journey, ledgers)
        _copy_lines(scene, journey, place, _trace_of(body))
        write(place / "facts.json", body)


def _trace_of(body: Mapping[str, Any]) -> str:
    """The order's trace, as its shop sees it; empty where it was not answered."""
    seen = body.get("shop sees")
    return str(seen.get("trace_id") or "") if isinstance(seen, dict) else ""


async def _of_order(scene: Scene, journey: Journey, ledgers: Ledgers) -> dict[str, Any]:
    facts = facts_of(journey, ledgers)
    if facts is None:
        return {}
    seen: object = None
    with suppress(UnmetError):
        seen = (await scene.traffic.shops.seen(facts.order)).model_dump(mode="json")
    around = [
        f"{record.began.isoformat()} to {record.lifted and record.lifted.isoformat()}: "
        f"{record.fault.kind} {record.fault.target} {record.failure}"
        for record in scene.records
    ]
    return {
        "kind": journey.kind,
        "shop": journey.shop,
        "steps": [f"{at.isoformat()} {step}" for at, step in journey.steps],
        "problem": journey.problem,
        "bank": facts.transactions,
        "profiles": facts.profiles,
        "mails": [{**mail, "text": ""} for mail in (*facts.codes, *facts.refund_mails)],
        "receipts": facts.receipts,
        "webhooks": sorted(facts.heard),
        "shop sees": seen,
        "faults": around,
    }


def _copy_lines(scene: Scene, journey: Journey, place: Path, trace: str) -> None:
    """The lines of logs that name the order, and the spans of its trace and of those that name it."""
    if journey.order is None:
        return
    place.mkdir(parents=True, exist_ok=True)
    words = [journey.order.id, *(f'"{invoice}"' for invoice in journey.invoices)]
    traces = {trace}
    for path in sorted(scene.stack.directory.glob("logs/*.log")):
        lines = list(_lines(path, words))
        if lines:
            (place / path.name).write_text("".join(lines), encoding="utf-8")
    for path in sorted(scene.stack.directory.glob("traces/*.jsonl")):
        for line in _lines(path, words):
            with suppress(ValueError):
                traces.add(json.loads(line).get("trace", ""))
    spans = [
        line
        for path in sorted(scene.stack.directory.glob("traces/*.jsonl"))
        for line in (_lines(path, [trace for trace in traces if trace]) if traces else ())
    ]
    (place / "trace.jsonl").write_text("".join(spans), encoding="utf-8")


def _lines(path: Path, words: Sequence[str]) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        yield from (line for line in file if any(word in line for word in words))
