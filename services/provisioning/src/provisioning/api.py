"""What agents and operations may see of profiles and operators: everything but the codes."""

import time
from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from provisioning.agents import agent_only
from provisioning.domain.operator_settings import StockSettings
from provisioning.guard import Guarded, Port
from provisioning.operators import Operators
from shared.contracts import OperatorStatus
from shared.database import Database
from shared.kernel.auth import ApiKeys
from shared.kernel.problems import Problem

_PROFILE = """
SELECT p.order_id, p.order_number, p.storefront, p.operator, p.profile_type, p.state, p.iccid, p.statuses, p.reason,
       p.paid_at, p.deadline, p.settled_at, p.withdrawn_at,
       p.attempts + COALESCE(w.attempts, 0) AS attempts, w.state AS work_state, w.due_at AS next_attempt_at,
       EXISTS (SELECT 1 FROM stock_profiles s WHERE s.order_id = p.order_id) AS from_stock
FROM profiles p LEFT JOIN work w ON w.kind = ANY(CAST(:kinds AS text[])) AND w.key = CAST(p.order_id AS text)
WHERE p.order_id = :order_id
"""
_LEFT = """
SELECT operator, profile_type, iccid, state, attempts, statuses, reason, left_at, withdrawn_at
FROM profile_orders WHERE order_id = :order_id ORDER BY left_at
"""
_POOLS = """
SELECT operator, profile_type, count(*) FILTER (WHERE state = 'ready') AS ready,
       count(*) FILTER (WHERE state = 'ordered') AS ordered,
       max(reason) FILTER (WHERE state = 'failed' AND failed_at > CAST(:now AS timestamptz) - interval '1 hour')
         AS refused
FROM stock_profiles WHERE state IN ('ready', 'ordered', 'failed') AND order_id IS NULL GROUP BY operator, profile_type
"""
_WAITING = "SELECT kind, count(*) AS rows FROM work WHERE kind = ANY(CAST(:kinds AS text[])) GROUP BY kind"


class AttemptView(BaseModel):
    """An operator that was asked, and left. state: waiting | refused | abandoned (withdrawn since `withdrawn_at`)."""

    operator: str
    profile_type: str
    iccid: str | None
    state: str
    attempts: int
    statuses: list[OperatorStatus]
    reason: str | None
    left_at: datetime
    withdrawn_at: datetime | None


class ProfileView(BaseModel):
    """A profile without its secrets. `work_state` tells why an order still waits; `left`: operators tried before."""

    order_id: UUID
    order_number: str
    storefront: str
    operator: str
    profile_type: str
    state: str
    iccid: str | None
    attempts: int
    statuses: list[OperatorStatus]
    reason: str | None
    paid_at: datetime
    deadline: datetime
    settled_at: datetime | None
    withdrawn_at: datetime | None
    work_state: str | None
    next_attempt_at: datetime | None
    from_stock: bool
    left: list[AttemptView]


class PortView(BaseModel):
    """One side of an operator, as this instance sees it: how its last call ended, and whether calls are made."""

    breaker: str
    #: Seconds until it is tried again.
    wait_seconds: float
    last_at: datetime | None
    last_outcome: str | None
    last_reason: str | None
    last_statuses: list[OperatorStatus]


class PoolView(BaseModel):
    """Profiles in stock; `refused`: why the last ones were not made, within the hour."""

    profile_type: str
    low: int
    high: int
    ready: int
    ordered: int
    refused: str | None


class OperatorView(BaseModel):
    """One operator: what it can do, how it is, what waits for it (all instances)."""

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


def router(database: Database, agents: ApiKeys, operators: Operators, stock: Sequence[StockSettings]) -> APIRouter:
    """`GET /profiles/{order_id}`, `GET /operators`."""
    routes = APIRouter(tags=["profiles"])
    kinds = [operators.kind("provision", name) for name in operators.names]

    agent = agent_only(agents)

    @routes.get("/profiles/{order_id}", dependencies=[Depends(agent)])
    async def profile(order_id: UUID) -> ProfileView:
        """The profile of an order: made, on its way, or failed, and why."""
        async with database.reading() as tx:
            row: Any = (await tx.execute(_PROFILE, order_id=order_id, kinds=kinds)).one_or_none()
            left = (await tx.execute(_LEFT, order_id=order_id)).mappings() if row else []
        if row is None:
            raise Problem(HTTPStatus.NOT_FOUND, "unknown-order", "No paid order of this id has arrived here.")
        return ProfileView.model_validate(row._asdict() | {"left": left})

    @routes.get("/operators", dependencies=[Depends(agent)])
    async def every_operator() -> list[OperatorView]:
        """Every operator: its circuit breaker, what waits for it, its stock."""
        lanes = [operators.kind(work, name) for work in ("provision", "withdraw") for name in operators.names]
        async with database.reading() as tx:
            pools = {(row.operator, row.profile_type): row for row in await tx.execute(_POOLS, now=tx.now)}
            waiting = {row.kind: row.rows for row in await tx.execute(_WAITING, kinds=lanes)}
        kept = {
            name: [_pool(one, pools.get((name, one.profile_type))) for one in stock if one.operator == name]
            for name in operators.names
        }
        return [
            _operator(
                operators,
                name,
                kept[name],
                orders=waiting.get(operators.kind("provision", name), 0),
                withdrawals=waiting.get(operators.kind("withdraw", name), 0),
            )
            for name in operators.names
        ]

    return routes


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


def _port(guarded: Guarded, port: Port) -> PortView:
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
