"""HTTP: privacy requests of buyers (PP 6.2), and the codes that confirm them and corrections of contact data."""

import json
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from ordering.contact import lock_mailbox, lock_mailbox_of, order_with_contact, requester_of
from ordering.contact.models import Confirmed
from ordering.dependencies import ActingAgent, Codes, PageProof, PersonalData, RequestsOf, WritingShop
from ordering.privacy.actions import carry_out, carry_out_confirmed, collect_from_services, effect_of
from ordering.privacy.models import RequestKind, RequestState
from ordering.privacy.page import export_page
from ordering.privacy.store import find_request, insert_request, stored_data
from ordering.timeline.models import Reference
from shared.database import Database
from shared.ids import uuid7
from shared.kernel.dependencies import ServiceDatabase
from shared.kernel.problems import Problem
from shared.outcomes import NotSent
from shared.values.identification import Identification
from shared.values.opaque import Named
from shared.values.text import Line

router = APIRouter(tags=["rights"])


class Code(BaseModel):
    """The code that the buyer was sent."""

    model_config = ConfigDict(extra="forbid")
    code: str = Field(pattern=r"^[0-9]{6}$")


class PrivacyRequest(BaseModel):
    """What a buyer requests; `order` is any of their orders, by id or number."""

    model_config = ConfigDict(extra="forbid")
    order: Annotated[str, Line(40, 0)]
    kind: RequestKind


class AgentsRequest(BaseModel):
    """What an identified person requests from an agent.

    `dry_run`: say what it would reach, and do nothing. `effect`: as a dry run answered it; where the request would
    reach other orders, or the contact has changed, it is refused.
    """

    model_config = ConfigDict(extra="forbid")
    kind: RequestKind
    identified: Identification
    dry_run: bool = False
    effect: Named | None = None


class AgentsRequestTaken(BaseModel):
    """What a request does, or would do: `request_id` None, `state` `not_done`. Orders by their numbers.

    `left`: orders of the mailbox that it does not reach, because nobody has proved the mailbox for them.
    """

    request_id: UUID | None
    state: Literal["running", "done", "not_done"]
    orders: Annotated[list[str], Field(examples=[["10000001"]])]
    left: list[str]
    effect: str


@router.post("/privacy/requests", status_code=HTTPStatus.ACCEPTED, name="request")
async def open_request(
    storefront: WritingShop, body: PrivacyRequest, database: ServiceDatabase, codes: Codes, page: PageProof
) -> dict[str, Any]:
    """Request an export, a block, its lifting or an erasure (PP 6.2). A code is sent to the buyer's address.

    An export contains the order and the mailbox's proved orders; the others reach every order of the mailbox.
    """
    lifts = body.kind == "unblock"
    async with database.transaction("http") as tx:
        order = await order_with_contact(tx, storefront, Reference.parse(body.order))
        mailbox = await lock_mailbox_of(tx, order)
        purpose = "block" if body.kind == "unblock" else body.kind
        requester = requester_of(order, mailbox, page.requested_by(order.order_id))
        request_id = await codes.request(tx, requester, purpose, "email", lifts=lifts)
        await insert_request(tx, request_id, body.kind, order, None)
    return {
        "request_id": str(request_id),
        "confirmation_id": str(request_id),
        "sent_by": "email",
        "valid_minutes": codes.valid_minutes,
    }


@router.get("/privacy/requests/{request_id}", name="state")
async def show_request(storefront: RequestsOf, request_id: UUID, database: ServiceDatabase) -> dict[str, Any]:
    """The state of a request; of an erasure also the proof: who confirmed it, and what the law requires us to keep."""
    request = await _find(database, storefront, request_id)
    confirmed = request.confirmed_at is not None
    return {
        "request_id": str(request.request_id),
        "kind": request.kind,
        "state": "awaiting_confirmation" if not confirmed else "running" if request.waiting_for else "done",
        "requested_at": request.requested_at,
        "confirmed_at": request.confirmed_at,
        "confirmed_by": request.confirmed_by,
        "identified": request.identification,
        "buyers": len(request.buyers) if confirmed else None,
        "services": request.erased,
        "waiting_for": request.waiting_for if confirmed else [],
    }


@router.get("/privacy/requests/{request_id}/export", response_model=None, name="export")
async def export_data(
    storefront: RequestsOf, request_id: UUID, http: Request, database: ServiceDatabase, client: PersonalData
) -> Response | dict[str, Any]:
    """All data that we store about the buyer, as JSON, or as a page with `Accept: text/html`."""
    request = await _find(database, storefront, request_id)
    if request.kind != "export" or request.confirmed_at is None:
        raise Problem(HTTPStatus.CONFLICT, "not-confirmed", "This is not a confirmed request for an export.")
    async with database.reading() as tx:
        own = await stored_data(tx, request.buyers)
    collected = await collect_from_services(client, request.buyers, http.state.trace)
    if isinstance(collected, NotSent):
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "export-incomplete",
            f"{collected.reason}, and an export has to be complete; try again in a minute.",
            headers={"Retry-After": "60"},
        )
    export = {"ordering": own, **collected.value}
    if "text/html" in http.headers.get("accept", ""):
        return HTMLResponse(
            export_page(json.loads(json.dumps(export, default=str))), headers={"Cache-Control": "no-store"}
        )
    return export


@router.post("/orders/{reference}/privacy-requests", status_code=HTTPStatus.CREATED, name="act")
async def carry_out_as_agent(
    agent: ActingAgent, reference: Named, body: AgentsRequest, database: ServiceDatabase, response: Response
) -> AgentsRequestTaken:
    """Carry out a request of PP 6.2 for a person whom an agent has identified. A dry run is answered 200.

    It reaches this order and, if its mailbox is proved, the mailbox's other orders, as a request with a code does. The
    identification is stored with the proof. 409 `effect-changed`: see `effect`.
    """
    request_id = uuid7()
    async with database.transaction("http") as tx:
        order = await order_with_contact(tx, None, Reference.parse(reference))
        mailbox = await lock_mailbox_of(tx, order)
        effect = await effect_of(tx, body.kind, mailbox)
        if body.effect is not None and body.effect != effect.digest:
            raise Problem(
                HTTPStatus.CONFLICT,
                "effect-changed",
                "It would not do what was shown: the contact or the orders of its mailbox have changed. Look again.",
            )
        if not body.dry_run:
            await insert_request(tx, request_id, body.kind, order, body.identified)
            await carry_out(tx, request_id, mailbox, confirmed_by=f"agent {agent}")
    if body.dry_run:
        response.status_code = HTTPStatus.OK
    return AgentsRequestTaken(
        request_id=None if body.dry_run else request_id,
        state="not_done" if body.dry_run else "running" if body.kind == "erase" else "done",
        orders=list(effect.reached),
        left=list(effect.left),
        effect=effect.digest,
    )


@router.post("/confirmations/{confirmation_id}", name="confirm")
async def enter_code(
    storefront: WritingShop, confirmation_id: UUID, body: Code, database: ServiceDatabase, codes: Codes
) -> dict[str, str]:
    """Enter the code and carry out the correction or request. 403 wrong code, 410 expired, 409 carried out before."""
    async with database.transaction("http") as tx:
        buyer_id = await codes.buyer_of(tx, storefront, confirmation_id)
        mailbox = None if buyer_id is None else await lock_mailbox(tx, buyer_id)
        result = await codes.check(tx, storefront, confirmation_id, body.code)
        if isinstance(result, Confirmed) and not await carry_out_confirmed(tx, codes, result, mailbox):
            result = Problem(
                HTTPStatus.GONE,
                "code-expired",
                "The contact that this code was sent to has changed; make the request again.",
            )
    if isinstance(result, Problem):  # raised after the commit, because a wrong code counts as a try
        raise result
    return {"purpose": result.purpose, "state": "running" if result.purpose == "erase" else "done"}


async def _find(database: Database, storefront: str | None, request_id: UUID) -> RequestState:
    async with database.reading() as tx:
        request = await find_request(tx, storefront, request_id)
    if request is None:
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-request", "There is no such request.")
    return request
