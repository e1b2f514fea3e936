"""Control of the reseller: what it has, what it decides, what its eSIMs do, and its webhooks."""

from typing import Any, Literal

from fastapi import APIRouter, HTTPException, Response
from pydantic import BaseModel, ConfigDict, Field

from sandbox.airalo.behaviour import Spelling
from sandbox.airalo.ledger import SimStatus
from sandbox.airalo.wire import expiry
from sandbox.serving import stands


class Behaviour(Spelling):
    """What changes from now on, and how it is spelled."""

    stock: dict[str, int] | None = None
    credit: bool | None = None
    maintenance: bool | None = None
    refunds: Literal["approve", "manual", "deny"] | None = None
    suspended: bool | None = None
    #: Whether a webhook holds the order in `data`, or is the order with a request_id.
    nested: bool | None = None
    forget_tokens: bool = False


class SimChange(BaseModel):
    """What an eSIM does, or what is said of it."""

    model_config = ConfigDict(extra="forbid")

    iccid: str
    status: SimStatus | None = None
    used_mb: int | None = Field(default=None, ge=0)


class Resend(BaseModel):
    """A webhook once more; without its request id, the last one."""

    model_config = ConfigDict(extra="forbid")

    request_id: str | None = None
    times: int = Field(default=1, ge=1, le=100)
    signature: Literal["genuine", "wrong", "missing"] = "genuine"
    body: str | None = None


def airalo_routes(router: APIRouter) -> None:
    """Add the routes below /airalo, and the ledger."""
    _behaviour_route(router)
    _sim_routes(router)


def _behaviour_route(router: APIRouter) -> None:
    @router.put("/airalo/behaviour")
    async def change(request: Behaviour) -> dict[str, Any]:
        airalo = stands().airalo
        for name in ("stock", "credit", "maintenance", "nested"):
            if (value := getattr(request, name)) is not None:
                setattr(airalo, name, value)
        spelled = request.model_dump(exclude_unset=True, include=set(Spelling.model_fields))
        airalo.spelling = Spelling.model_validate(airalo.spelling.model_dump() | spelled)
        if request.refunds is not None:
            airalo.decide_refunds(request.refunds)
        if request.suspended is not None:
            airalo.limits.clear()
            airalo.limits.suspended = request.suspended
        if request.forget_tokens:
            airalo.forget_tokens()
        return {
            "stock": airalo.stock,
            "refunds": airalo.refunds,
            "suspended": airalo.limits.suspended,
        }


def _sim_routes(router: APIRouter) -> None:
    @router.put("/airalo/sim")
    async def change_sim(request: SimChange) -> dict[str, Any]:
        airalo = stands().airalo
        sim = airalo.ledger.sims.get(request.iccid)
        if sim is None:
            raise HTTPException(404, "no such ICCID")
        if request.used_mb is not None:
            sim.used = request.used_mb
            sim.status = "FINISHED" if sim.used >= sim.total else "ACTIVE"
            sim.expired_at = sim.expired_at or expiry(sim.validity)
        sim.status = request.status or sim.status
        airalo.ledger.sims.put(sim.iccid, sim)
        return sim.model_dump(by_alias=True)

    @router.post("/airalo/webhook")
    async def resend(request: Resend) -> dict[str, Any]:
        airalo = stands().airalo
        sent = airalo.webhooks.sent
        if not sent or (request.request_id or next(reversed(sent))) not in sent:
            raise HTTPException(404, "no such webhook was sent")
        url, content = sent[request.request_id or next(reversed(sent))]
        content = content if request.body is None else request.body.encode()
        signature = {"genuine": None, "wrong": "0" * 128, "missing": ""}[request.signature]
        return {"answers": [await airalo.webhooks.once(url, content, signature) for _ in range(request.times)]}

    @router.get("/ledger/airalo")
    async def ledger() -> Response:
        airalo = stands().airalo
        orders, sims = airalo.ledger.orders.since(0), airalo.ledger.sims.since(0)
        body = b'{"orders":[' + b",".join(orders) + b'],"sims":[' + b",".join(sims) + b"]}"
        return Response(body, media_type="application/json")
