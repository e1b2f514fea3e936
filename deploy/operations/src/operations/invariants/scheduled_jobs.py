"""Evaluates the invariants on a schedule: one instance at a time, and every violation has a beginning and an end."""

import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from operations.invariants.metrics import Figures
from operations.invariants.progress import Progress
from operations.invariants.rules import ALL, Invariant, OrderInvariant, Seen, ServiceInvariant
from operations.services import store as services
from operations.services.polling import Watch
from shared.clock import Clock
from shared.database import Database, Tx
from shared.supervision import Loop
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
#: So many violations of one invariant are kept with their orders; of more the number is known.
_KEPT = 1000
_AT_ONCE = timedelta(0)
_TURN = """
INSERT INTO turns (name, taken_at) VALUES ('evaluation', :now)
ON CONFLICT (name) DO UPDATE SET taken_at = EXCLUDED.taken_at WHERE turns.taken_at <= :before RETURNING 1
"""
#: Partial indexes hold what a rule may be about, and are nearly empty. From the columns alone the planner cannot know
#: that nearly no row has two that differ, and would read a whole table instead.
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


class Evaluator:
    """A loop of the service. `overrides`: seconds that an invariant may be broken before it counts, by its name."""

    def __init__(
        self,
        database: Database,
        progress: Progress,
        watch: Watch,
        figures: Figures,
        urls: Mapping[str, str],
        *,
        every: timedelta,
        overrides: Mapping[str, float],
        clock: Clock,
    ) -> None:
        if unknown := sorted(set(overrides) - {one.name for one in ALL}):
            raise ValueError(f"INVARIANT_SECONDS names no invariant: {', '.join(unknown)}")
        if at_once := sorted(one.name for one in ALL if one.name in overrides and one.after is None):
            raise ValueError(f"INVARIANT_SECONDS names invariants without a time: {', '.join(at_once)}")
        self._database = database
        self._progress = progress
        self._watch = watch
        self._figures = figures
        self._urls = urls
        self._every = every
        self._after = {one.name: timedelta(seconds=overrides[one.name]) for one in ALL if one.name in overrides}
        self._started_at = clock.now()

    async def run(self, loop: Loop) -> None:
        """Until cancelled."""

        async def step() -> None:
            if await self._my_turn():
                await self.evaluate(loop.progress)
            await self._show()

        await loop.repeat(step, self._every.total_seconds(), "evaluation_failed")

    async def _my_turn(self) -> bool:
        """One instance in each interval."""
        async with self._database.transaction("turn") as tx:
            taken = await tx.execute(_TURN, now=tx.now, before=tx.now - self._every * 0.9)
            return bool(taken.scalar())

    async def evaluate(self, progress: Callable[[], None] = lambda: None) -> None:
        """Ask the services, see how far we have read, and evaluate all invariants, each in a transaction of its own.

        `progress` is called after each.
        """
        began = time.perf_counter()
        await self._watch.ask()
        progress()
        as_of = await self._progress.look(self._database.clock.now())
        for invariant in ALL:
            if isinstance(invariant, ServiceInvariant) or as_of is not None:
                await self._evaluate(invariant, as_of)
            progress()
        self._figures.seconds.observe(time.perf_counter() - began)

    async def _evaluate(self, invariant: Invariant, as_of: datetime | None) -> None:
        after = self._after.get(invariant.name, invariant.after) or _AT_ONCE
        began = time.perf_counter()
        try:
            async with self._database.transaction("invariant") as tx:
                await tx.execute(_BY_INDEX)
                sql, values = await self._question(tx, invariant, as_of, after)
                found = await tx.execute(
                    _STORE.format(found=sql, kept=_KEPT), name=invariant.name, now=tx.now, **values
                )
                await tx.execute(
                    _EVALUATED,
                    name=invariant.name,
                    now=tx.now,
                    as_of=as_of,
                    violations=found.scalar(),
                    milliseconds=round((time.perf_counter() - began) * 1000),
                )
        except Exception as error:  # noqa: BLE001 - one rule that cannot be evaluated must not hide the others
            log.error("invariant_not_evaluated", invariant=invariant.name, error=error)  # noqa: TRY400 - no words of exceptions in logs

    async def _question(
        self, tx: Tx, invariant: Invariant, as_of: datetime | None, after: timedelta
    ) -> tuple[str, dict[str, Any]]:
        if isinstance(invariant, OrderInvariant) and as_of is not None:
            return invariant.sql(), {"as_of": as_of, "late": as_of - after, "after": after}
        if not isinstance(invariant, ServiceInvariant):
            raise TypeError(f"{invariant.name} is no kind of invariant that is known")
        asked = await services.every(tx, self._urls)
        found = list(invariant.broken(Seen(asked, tx.now, as_of, self._started_at), after))
        return _OF_SERVICES, {
            "subjects": [one.subject for one in found],
            "sinces": [one.since for one in found],
            "details": [json.dumps(dict(one.detail)) for one in found],
        }

    async def _show(self) -> None:
        async with self._database.reading() as tx:
            rows = (await tx.execute(_STATE)).all()
        if rows:
            known = [row.as_of.timestamp() for row in rows if row.as_of is not None]
            self._figures.show(
                {row.invariant: row.violations for row in rows},
                max(row.evaluated_at for row in rows).timestamp(),
                max(known, default=None),
            )
