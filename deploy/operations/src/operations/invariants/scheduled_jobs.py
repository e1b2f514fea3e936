"""Evaluates the invariants periodically, in one instance at a time, and stores when each violation begins and ends."""

import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from operations.invariants.metrics import InvariantMetrics
from operations.invariants.progress import Progress
from operations.invariants.rules import ALL, Invariant, OrderInvariant, ServiceAnswers, ServiceInvariant
from operations.services import ServicePolling, last_answers
from shared.clock import Clock
from shared.database import Database, Tx
from shared.supervision import Loop
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
#: The most violations of one invariant that are stored with their orders. Of further ones only the number is stored.
_KEPT = 1000
_AT_ONCE = timedelta(0)
_TURN = """
INSERT INTO turns (name, taken_at) VALUES ('evaluation', :now)
ON CONFLICT (name) DO UPDATE SET taken_at = EXCLUDED.taken_at WHERE turns.taken_at <= :before RETURNING 1
"""
#: Partial indexes hold the rows that may violate a rule, and are nearly empty. The planner cannot estimate that from
#: the columns alone and would read a whole table instead.
_BY_INDEX = "SELECT set_config('enable_seqscan', 'off', true)"
_OF_SERVICES = """
SELECT subject, CAST(NULL AS uuid) AS order_id, CAST(NULL AS text) AS order_number, since, detail
FROM unnest(CAST(:subjects AS text[]), CAST(:sinces AS timestamptz[]), CAST(:details AS jsonb[]))
  AS f(subject, since, detail)
"""
_STORE = """
WITH found AS MATERIALIZED ({found}),
ended AS (
  UPDATE violations v SET resolved_at = :now
  WHERE v.invariant = :name AND v.resolved_at IS NULL AND NOT EXISTS (SELECT 1 FROM found WHERE subject = v.subject)
),
kept AS (
  INSERT INTO violations (violation_id, invariant, subject, order_id, order_number, since, detail,
    first_seen_at, last_seen_at)
  SELECT gen_random_uuid(), :name, subject, order_id, order_number, since, detail, :now, :now
  FROM (SELECT * FROM found ORDER BY since NULLS FIRST, subject LIMIT {kept}) oldest
  ON CONFLICT (invariant, subject) WHERE resolved_at IS NULL
  DO UPDATE SET last_seen_at = EXCLUDED.last_seen_at, detail = EXCLUDED.detail, since = EXCLUDED.since
)
SELECT count(*) FROM found
"""
_EVALUATED = """
INSERT INTO evaluations (invariant, evaluated_at, as_of, violations, milliseconds)
VALUES (:name, :now, :as_of, :violations, :milliseconds)
ON CONFLICT (invariant) DO UPDATE SET evaluated_at = EXCLUDED.evaluated_at, as_of = EXCLUDED.as_of,
  violations = EXCLUDED.violations, milliseconds = EXCLUDED.milliseconds
"""
_STATE = "SELECT invariant, violations, evaluated_at, as_of FROM evaluations"


class EvaluateInvariants:
    """A background loop of the service. `overrides`: by invariant, the seconds before a violation counts."""

    def __init__(
        self,
        database: Database,
        progress: Progress,
        polling: ServicePolling,
        metrics: InvariantMetrics,
        urls: Mapping[str, str],
        *,
        every: timedelta,
        overrides: Mapping[str, float],
        clock: Clock,
    ) -> None:
        if unknown := sorted(set(overrides) - {invariant.name for invariant in ALL}):
            raise ValueError(f"INVARIANT_SECONDS names no invariant: {', '.join(unknown)}")
        if at_once := sorted(rule.name for rule in ALL if rule.name in overrides and rule.after is None):
            raise ValueError(f"INVARIANT_SECONDS names invariants without a time: {', '.join(at_once)}")
        self._database = database
        self._progress = progress
        self._polling = polling
        self._metrics = metrics
        self._urls = urls
        self._every = every
        self._after = {rule.name: timedelta(seconds=overrides[rule.name]) for rule in ALL if rule.name in overrides}
        self._started_at = clock.now()

    async def run(self, loop: Loop) -> None:
        """Evaluate until cancelled."""

        async def step() -> None:
            if await self._take_turn():
                await self.evaluate(loop.progress)
            await self._show()

        await loop.repeat(step, self._every.total_seconds(), "evaluation_failed")

    async def _take_turn(self) -> bool:
        """True for one instance in each interval."""
        async with self._database.transaction("turn") as tx:
            taken = await tx.execute(_TURN, now=tx.now, before=tx.now - self._every * 0.9)
            return bool(taken.scalar())

    async def evaluate(self, progress: Callable[[], None] = lambda: None) -> None:
        """Poll the services, read the consumer's progress, and evaluate all invariants, each in its own transaction.

        `progress` is called after each invariant.
        """
        began = time.perf_counter()
        await self._polling.poll()
        progress()
        as_of = await self._progress.as_of(self._database.clock.now())
        for invariant in ALL:
            if isinstance(invariant, ServiceInvariant) or as_of is not None:
                await self._evaluate(invariant, as_of)
            progress()
        self._metrics.seconds.observe(time.perf_counter() - began)

    async def _evaluate(self, invariant: Invariant, as_of: datetime | None) -> None:
        after = self._after.get(invariant.name, invariant.after) or _AT_ONCE
        began = time.perf_counter()
        try:
            async with self._database.transaction("invariant") as tx:
                await tx.execute(_BY_INDEX)
                sql, values = await self._statement(tx, invariant, as_of, after)
                violations = await tx.execute(
                    _STORE.format(found=sql, kept=_KEPT), name=invariant.name, now=tx.now, **values
                )
                await tx.execute(
                    _EVALUATED,
                    name=invariant.name,
                    now=tx.now,
                    as_of=as_of,
                    violations=violations.scalar(),
                    milliseconds=round((time.perf_counter() - began) * 1000),
                )
        except Exception as error:  # noqa: BLE001 - one rule that cannot be evaluated must not hide the others
            log.error("invariant_not_evaluated", invariant=invariant.name, error=error)  # noqa: TRY400 - no words of exceptions in logs

    async def _statement(
        self, tx: Tx, invariant: Invariant, as_of: datetime | None, after: timedelta
    ) -> tuple[str, dict[str, Any]]:
        if isinstance(invariant, OrderInvariant) and as_of is not None:
            return invariant.sql(), {"as_of": as_of, "late": as_of - after, "after": after}
        if not isinstance(invariant, ServiceInvariant):
            raise TypeError(f"{invariant.name} is of an unknown kind")
        answers = ServiceAnswers(await last_answers(tx, self._urls), tx.now, as_of, self._started_at)
        violations = list(invariant.violations(answers, after))
        return _OF_SERVICES, {
            "subjects": [violation.subject for violation in violations],
            "sinces": [violation.since for violation in violations],
            "details": [json.dumps(dict(violation.detail)) for violation in violations],
        }

    async def _show(self) -> None:
        async with self._database.reading() as tx:
            rows = (await tx.execute(_STATE)).all()
        if rows:
            known = [row.as_of.timestamp() for row in rows if row.as_of is not None]
            self._metrics.show(
                {row.invariant: row.violations for row in rows},
                max(row.evaluated_at for row in rows).timestamp(),
                max(known, default=None),
            )
