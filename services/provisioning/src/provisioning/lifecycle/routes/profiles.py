"""GET /profiles/{order_id}/life: facts with their sources and ages, observations, and the next query, for agents.

The EID identifies a device, not a person; agents need it where a buyer says that another device has the profile (RC 8).
"""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Self
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from provisioning.dependencies import OperatorsDependency, agent
from provisioning.lifecycle import store
from provisioning.lifecycle.models.profile import IssuedProfile
from provisioning.lifecycle.rules.polling import ends_at, interval
from shared.contracts import InstallState
from shared.database import Tx
from shared.kernel.dependencies import ServiceDatabase
from shared.kernel.problems import Problem

_MOST = 200
_OBSERVATIONS = """
SELECT source, verdict, at, received_at, report, detail FROM observations
WHERE order_id = :id ORDER BY received_at DESC, id DESC LIMIT :most
"""
_CASES = """
SELECT case_id, asked_at, unreached_at, answered_at FROM inquiries WHERE order_id = :id ORDER BY asked_at, case_id
"""
_REVOCATIONS = """
SELECT case_id, reason, asked_at, settled_at, outcome, detail FROM revocations WHERE order_id = :id
ORDER BY asked_at, case_id
"""
_TOP_UPS = """
SELECT order_id, order_number, state, reason, total_bytes, plan_ends_at, settled_at FROM top_ups
WHERE esim_order_id = :id ORDER BY created_at, order_id
"""


routes = APIRouter(tags=["profiles"], dependencies=[agent])


class FactView(BaseModel):
    """A fact with its source, its time and its age in seconds. `value` null or `unknown`: not reported."""

    value: InstallState | int | None
    source: str | None
    observed_at: datetime | None
    age_seconds: float | None


class PollingView(BaseModel):
    """The next query (null: never again, or just now), the interval, and when the profile expires."""

    next_look_at: datetime | None
    every_seconds: float | None
    last_look_at: datetime | None
    ends_at: datetime | None
    observable: bool


class LifeView(BaseModel):
    """All that is known of a profile after it was made."""

    order_id: UUID
    order_number: str
    storefront: str
    operator: str
    iccid: str
    install: FactView
    used_bytes: FactView
    total_bytes: int | None
    downloaded_at: datetime | None
    installed_at: datetime | None
    activated_at: datetime | None
    first_use_at: datetime | None
    deleted_at: datetime | None
    plan_ends_at: datetime | None
    valid_until: datetime
    eid: str | None
    other_eids: list[str]
    revoked_at: datetime | None
    revoked_for: str | None
    expired_at: datetime | None
    expired_for: str | None
    polling: PollingView
    observations: list[dict[str, Any]]
    inquiries: list[dict[str, Any]]
    revocations: list[dict[str, Any]]
    top_ups: list[dict[str, Any]]

    @classmethod
    async def read(cls, tx: Tx, profile: IssuedProfile, *, observable: bool) -> Self:
        """The newest observations first."""
        facts, now = profile.facts, tx.now
        every = interval(profile.course(observable=observable), now)
        return cls(
            **profile.subject(),
            operator=profile.operator,
            install=_fact(facts.install.state, facts.install.source, facts.install.observed_at, now),
            used_bytes=_fact(facts.usage.used_bytes, facts.usage.source, facts.usage.observed_at, now),
            total_bytes=facts.usage.total_bytes,
            downloaded_at=facts.downloaded_at,
            installed_at=facts.installed_at,
            activated_at=facts.activated_at,
            first_use_at=facts.first_use_at,
            deleted_at=facts.deleted_at,
            plan_ends_at=profile.plan_ends_at,
            valid_until=profile.valid_until,
            eid=facts.eid,
            other_eids=sorted(eid for eid in profile.known.by_device if eid and eid != facts.eid),
            revoked_at=profile.revoked_at,
            revoked_for=profile.revoked_for,
            expired_at=profile.expired_at,
            expired_for=profile.expired_for,
            polling=PollingView(
                next_look_at=profile.look_at,
                every_seconds=every / timedelta(seconds=1) if every else None,
                last_look_at=profile.looked_at,
                ends_at=None if profile.ended() else ends_at(profile.course()),
                observable=observable,
            ),
            observations=(await tx.execute(_OBSERVATIONS, id=profile.order_id, most=_MOST)).mappings(),
            inquiries=(await tx.execute(_CASES, id=profile.order_id)).mappings(),
            revocations=(await tx.execute(_REVOCATIONS, id=profile.order_id)).mappings(),
            top_ups=(await tx.execute(_TOP_UPS, id=profile.order_id)).mappings(),
        )


@routes.get("/profiles/{order_id}/life")
async def life(order_id: UUID, database: ServiceDatabase, operators: OperatorsDependency) -> LifeView:
    """What became of a profile: install state and usage, each with its source and age."""
    async with database.reading() as tx:
        profile = (await store.issued_profiles(tx, [order_id])).get(order_id)
        if profile is None:
            raise Problem(HTTPStatus.NOT_FOUND, "no-profile", "No profile was made for an order of this id.")
        return await LifeView.read(tx, profile, observable=operators.reports_usage(profile.operator))


def _fact(value: InstallState | int | None, source: str | None, at: datetime | None, now: datetime) -> FactView:
    return FactView(
        value=value, source=source, observed_at=at, age_seconds=(now - at) / timedelta(seconds=1) if at else None
    )
