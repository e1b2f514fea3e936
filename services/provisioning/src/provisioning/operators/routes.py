"""GET /operators: every operator, its circuit breakers, its waiting tasks and its stock."""

import time
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from provisioning.dependencies import OperatorsDependency, SettingsDependency, agent
from provisioning.operators.guarded import GuardedOperator, Port
from provisioning.operators.registry import Operators
from provisioning.settings import StockSettings
from shared.contracts import OperatorStatus
from shared.kernel.dependencies import ServiceDatabase

_POOLS = """
SELECT operator, profile_type, count(*) FILTER (WHERE state = 'ready') AS ready,
       count(*) FILTER (WHERE state = 'ordered') AS ordered,
       max(reason) FILTER (WHERE state = 'failed' AND failed_at > CAST(:now AS timestamptz) - interval '1 hour')
         AS refused
FROM stock_profiles WHERE state IN ('ready', 'ordered', 'failed') AND order_id IS NULL GROUP BY operator, profile_type
"""
_WAITING = "SELECT kind, count(*) AS rows FROM work WHERE kind = ANY(CAST(:kinds AS text[])) GROUP BY kind"


routes = APIRouter(tags=["profiles"])


class PortView(BaseModel):
    """One port of an operator in this instance: its circuit breaker, and how the last call ended."""

    breaker: str
    #: Seconds until a call is tried again.
    wait_seconds: float
    last_at: datetime | None
    last_outcome: str | None
    last_reason: str | None
    last_statuses: list[OperatorStatus]


class PoolView(BaseModel):
    """A pool of the stock; `refused`: why profiles were not made within the last hour."""

    profile_type: str
    low: int
    high: int
    ready: int
    ordered: int
    refused: str | None


class OperatorView(BaseModel):
    """One operator: its traits, its state in this instance, its waiting tasks (all instances)."""

    name: str
    adapter: str
    repeatable: bool
    tops_up: bool
    reports_usage: bool
    concurrency: int
    in_flight: int
    rate_per_minute: float | None
    orders: PortView
    feed: PortView
    waiting_orders: int
    waiting_withdrawals: int
    stock: list[PoolView]


@routes.get("/operators", dependencies=[agent])
async def every_operator(
    database: ServiceDatabase, operators: OperatorsDependency, settings: SettingsDependency
) -> list[OperatorView]:
    """Every operator: its circuit breaker, what waits for it, its stock."""
    kinds = [operators.kind(task, name) for task in ("provision", "withdraw") for name in operators.names]
    async with database.reading() as tx:
        levels = {(row.operator, row.profile_type): row for row in await tx.execute(_POOLS, now=tx.now)}
        waiting = {row.kind: row.rows for row in await tx.execute(_WAITING, kinds=kinds)}
    return [
        _operator(
            operators,
            name,
            [_pool(pool, levels.get((name, pool.profile_type))) for pool in settings.stock if pool.operator == name],
            orders=waiting.get(operators.kind("provision", name), 0),
            withdrawals=waiting.get(operators.kind("withdraw", name), 0),
        )
        for name in operators.names
    ]


def _operator(operators: Operators, name: str, stock: list[PoolView], *, orders: int, withdrawals: int) -> OperatorView:
    guarded, settings = operators[name], operators.settings[name]
    return OperatorView(
        name=name,
        adapter=settings.adapter,
        repeatable=guarded.traits.repeatable,
        tops_up=guarded.traits.tops_up,
        reports_usage=guarded.traits.reports_usage,
        concurrency=settings.concurrency,
        in_flight=guarded.health.in_flight,
        rate_per_minute=settings.rate_per_minute,
        orders=_port(guarded, "orders"),
        feed=_port(guarded, "feed"),
        waiting_orders=orders,
        waiting_withdrawals=withdrawals,
        stock=stock,
    )


def _port(guarded: GuardedOperator, port: Port) -> PortView:
    breaker, last = guarded.health.breakers[port], guarded.health.last[port]
    now = time.monotonic()
    return PortView(
        breaker=breaker.state(now),
        wait_seconds=round(breaker.wait(now), 3),
        last_at=last.at,
        last_outcome=last.outcome,
        last_reason=last.reason,
        last_statuses=list(last.statuses),
    )


def _pool(pool: StockSettings, row: Any) -> PoolView:
    return PoolView(
        profile_type=pool.profile_type,
        low=pool.low,
        high=pool.high,
        ready=row.ready if row else 0,
        ordered=row.ordered if row else 0,
        refused=row.refused if row else None,
    )
