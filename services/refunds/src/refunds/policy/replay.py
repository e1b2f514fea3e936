"""Decides past cases under another policy, to show before a release what would change.

Each case is decided again on the facts of its last decision, at the moment of that decision. Nothing is written.
"""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from refunds.policy import Decision, Facts, Policy, decide
from shared.database import Database

#: The last decision of each case that a policy decides, a page at a time.
_LAST = """
SELECT DISTINCT ON (case_id) case_id, order_id, decided_at, policy, facts, answer FROM decisions
WHERE decided_at >= :since AND facts->>'storefront' = :storefront AND case_id > :after
  AND case_id NOT IN (SELECT c.case_id FROM cases c WHERE c.shop_request IS NOT NULL)
ORDER BY case_id, decided_at DESC, decision_id DESC
LIMIT :size
"""
_PAGE = 500
_FIRST = UUID(int=0)


@dataclass(slots=True, frozen=True)
class DecisionSummary:
    """A decision in short: policy, verdict, clauses, money, and missing fields."""

    policy: str
    verdict: str
    clauses: tuple[str, ...]
    refund: str | None
    missing: tuple[str, ...] = ()

    @classmethod
    def of(cls, decision: Decision) -> "DecisionSummary":
        refund = None if decision.refund is None else str(decision.refund)
        return cls(decision.policy, decision.verdict, decision.clauses, refund, decision.missing)

    def differs(self, other: "DecisionSummary") -> bool:
        """Whether the buyer would get another answer. The name of the policy does not count."""
        return (self.verdict, self.clauses, self.refund, self.missing) != (
            other.verdict,
            other.clauses,
            other.refund,
            other.missing,
        )

    def __str__(self) -> str:
        return f"{self.verdict} ({', '.join(self.clauses)})" + (f" {self.refund}" if self.refund else "")


@dataclass(slots=True, frozen=True)
class Change:
    """A case that would be decided differently."""

    case_id: UUID
    order_id: UUID
    decided_at: datetime
    was: DecisionSummary
    would_be: DecisionSummary


@dataclass(slots=True)
class Report:
    """The result of a replay. `unreadable`: cases whose stored facts this version of the program cannot read."""

    policy: str
    since: datetime
    cases: int = 0
    changes: list[Change] = field(default_factory=list)
    unreadable: list[UUID] = field(default_factory=list)

    @property
    def turns(self) -> Counter[str]:
        """How many cases change from which verdict to which."""
        return Counter(f"{change.was.verdict} -> {change.would_be.verdict}" for change in self.changes)

    def as_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "policy": self.policy,
            "since": self.since.isoformat(),
            "cases": self.cases,
            "turns": dict(sorted(self.turns.items())),
            "unreadable": [str(case_id) for case_id in self.unreadable],
            "changes": [
                {
                    "case_id": str(change.case_id),
                    "order_id": str(change.order_id),
                    "decided_at": change.decided_at.isoformat(),
                    "was": asdict(change.was),
                    "would_be": asdict(change.would_be),
                }
                for change in self.changes
            ],
        }

    def as_text(self) -> str:
        """The report as a table for a terminal."""
        lines = [f"{self.policy}, cases decided since {self.since.isoformat()}: {self.cases}"]
        if self.unreadable:
            lines.append(f"not readable: {len(self.unreadable)} ({', '.join(map(str, self.unreadable))})")
        if not self.changes:
            return "\n".join([*lines, "nothing would change"]) + "\n"
        lines.append(f"would change: {len(self.changes)}")
        lines += [f"  {turn}: {count}" for turn, count in sorted(self.turns.items())]
        cells = [("case", "decided", "under", "was", "would be")]
        cells += [
            (
                str(change.case_id),
                f"{change.decided_at:%Y-%m-%d %H:%M}Z",
                change.was.policy,
                str(change.was),
                str(change.would_be),
            )
            for change in self.changes
        ]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines.append("")
        lines += ["  ".join(map(str.ljust, row, widths)).rstrip() for row in cells]
        return "\n".join(lines) + "\n"


async def replay(database: Database, policy: Policy, since: datetime) -> Report:
    """Decide again, under `policy`, every case of its storefront that was decided since then."""
    report = Report(policy.name, since)
    async for row in _last_decisions(database, policy.storefront, since):
        report.cases += 1
        try:
            was = DecisionSummary.of(Decision.model_validate(row.answer))
            would_be = again(Facts.model_validate(row.facts), policy, was)
        except ValidationError:
            report.unreadable.append(row.case_id)
            continue
        if was.differs(would_be):
            report.changes.append(Change(row.case_id, row.order_id, row.decided_at, was, would_be))
    report.changes.sort(key=lambda change: (change.decided_at, change.case_id))
    return report


def again(facts: Facts, policy: Policy, was: DecisionSummary) -> DecisionSummary:
    """The decision under another policy. A surplus charge is returned as it was taken, whatever the policy says."""
    would_be = DecisionSummary.of(decide(facts, policy))
    if facts.request.reason == "double_charge" and was.verdict == would_be.verdict == "approve":
        return DecisionSummary(would_be.policy, would_be.verdict, would_be.clauses, was.refund, would_be.missing)
    return would_be


async def _last_decisions(database: Database, storefront: str, since: datetime) -> AsyncIterator[Any]:
    after = _FIRST
    while True:
        async with database.reading() as tx:
            rows = (await tx.execute(_LAST, since=since, storefront=storefront, after=after, size=_PAGE)).all()
        for row in rows:
            yield row
        if len(rows) < _PAGE:
            return
        after = rows[-1].case_id
