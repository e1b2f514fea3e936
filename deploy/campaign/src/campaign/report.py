"""What a run reports: a table by fault class, a JSON file, a folder for each violation. Pure but for `write`."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from campaign.journeys import Journey
from campaign.judge import Violation
from campaign.scene import Record
from campaign.schedule import BY_NAME

CLASSES: Mapping[int, str] = {
    0: "daily work: redeploy, erasure, a shop's receiver away",
    1: "kill -9",
    2: "broker killed, restarted, paused",
    3: "rebalance storm",
    4: "Postgres killed, restarted, paused",
    5: "connections cut, half open",
    6: "replies lost",
    7: "timeouts, 429, 5xx, partial bodies",
    8: "duplicates, replay",
    9: "reordering",
    10: "clock moved",
    11: "poison, other schemas",
    12: "disk full",
    13: "slow consumer, backlog",
    14: "forged webhooks",
    15: "old and new version",
    16: "frozen, taken over",
}
#: The classes in which a service is killed, and the goal of docs/reliability.md for the orders under way then.
KILLS, GOAL_SECONDS = 1, 10.0


@dataclass
class Row:
    """One class of faults. Times in seconds, from the end of the fault to each exposed order's outcome."""

    number: int
    name: str
    injected: int = 0
    exposed: int = 0
    kills: int = 0
    recovery: list[float] = field(default_factory=list)
    ready: list[float] = field(default_factory=list)
    violations: int = 0
    not_possible: str = ""


@dataclass(frozen=True)
class Outcome:
    """When an order was paid and when its first outcome came."""

    journey: Journey
    paid_at: datetime
    ended_at: datetime | None

    def exposed_to(self, record: Record) -> bool:
        """Whether it was under way during that fault."""
        return (
            record.lifted is not None
            and self.paid_at <= record.lifted
            and (self.ended_at is None or self.ended_at >= record.began)
        )


def rows(records: Sequence[Record], outcomes: Sequence[Outcome], violations: Sequence[Violation]) -> list[Row]:
    """The table. An order is exposed to a fault that it was under way during; it may be exposed to several."""
    table = {number: Row(number, name) for number, name in CLASSES.items()}
    broken = {violation.journey for violation in violations}
    for record in records:
        row = table[BY_NAME[record.fault.kind].number]
        if record.not_possible:
            row.not_possible = record.not_possible
            continue
        row.injected += 1
        row.kills += record.kills
        row.ready += record.ready_seconds
        if record.lifted is None:
            continue
        for outcome in outcomes:
            if outcome.exposed_to(record):
                row.exposed += 1
                row.violations += outcome.journey.number in broken
                if outcome.ended_at is not None:
                    row.recovery.append(max(0.0, (outcome.ended_at - record.lifted).total_seconds()))
    return list(table.values())


def alone(records: Sequence[Record]) -> list[Record]:
    """The kills of services that met no other fault: none from 10 s before them until 10 s after the new start."""
    margin = timedelta(seconds=GOAL_SECONDS)
    return [
        record
        for record in records
        if BY_NAME[record.fault.kind].number == KILLS
        and record.lifted is not None
        and all(
            other is record or over(other) + margin < record.began or other.began > record.lifted + margin
            for other in records
        )
    ]


def over(record: Record) -> datetime:
    """When a fault was over: lifted, and what it had stopped was ready again."""
    return (record.lifted or datetime.max.replace(tzinfo=record.began.tzinfo)) + timedelta(
        seconds=max(record.ready_seconds, default=0.0)
    )


def after_kills_alone(records: Sequence[Record], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The recovery of the orders that were under way during those kills."""
    found = alone(records)
    row = rows(found, outcomes, [])[KILLS]
    return {"kills": row.kills, "exposed": row.exposed, **_quantiles(row.recovery)}


def slowest_after_kills(records: Sequence[Record], outcomes: Sequence[Outcome], most: int) -> list[Journey]:
    """The orders that were under way during a kill and ended last after it; only those that missed the goal."""
    kills = [record for record in records if BY_NAME[record.fault.kind].number == KILLS]
    late = {
        outcome.journey.number: (seconds, outcome.journey)
        for outcome in outcomes
        if (seconds := max((_after(outcome, record) for record in kills), default=0.0)) > GOAL_SECONDS
    }
    return [journey for _, journey in sorted(late.values(), key=lambda one: -one[0])[:most]]


def _after(outcome: Outcome, record: Record) -> float:
    if outcome.ended_at is None or record.lifted is None or not outcome.exposed_to(record):
        return 0.0
    return (outcome.ended_at - record.lifted).total_seconds()


def unhurt(records: Sequence[Record], outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    """Seconds from the payment to the outcome of the orders that were under way during no fault."""
    return _quantiles(
        [
            (outcome.ended_at - outcome.paid_at).total_seconds()
            for outcome in outcomes
            if outcome.ended_at is not None
            and not any(outcome.paid_at <= over(record) and outcome.ended_at >= record.began for record in records)
        ]
    )


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that so great a share does not exceed; None of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def _quantiles(values: Sequence[float]) -> dict[str, float | None]:
    found = {"p50": percentile(values, 0.5), "p99": percentile(values, 0.99), "max": max(values, default=None)}
    return {name: None if value is None else round(value, 2) for name, value in found.items()}


def as_json(table: Sequence[Row]) -> list[dict[str, Any]]:
    """The table, with quantiles in place of all times."""
    return [
        asdict(row) | {"recovery": _quantiles(row.recovery), "ready": _quantiles(row.ready)}
        for row in table
        if row.injected or row.not_possible
    ]


def kinds(journeys: Sequence[Journey]) -> dict[str, int]:
    """How many went each way."""
    return dict(Counter(journey.kind for journey in journeys))


def grouped(violations: Sequence[Violation]) -> dict[str, list[Violation]]:
    """By order; those of no order under `nobody`."""
    found: dict[str, list[Violation]] = defaultdict(list)
    for violation in violations:
        found[violation.order or "nobody"].append(violation)
    return found


def write(path: Path, body: Mapping[str, Any]) -> None:
    """Store as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(body, indent=1, default=str) + "\n", encoding="utf-8")
