"""HTTP: buyers' rights. Corrections and privacy requests come from the shop and are confirmed by a code."""

import json
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from ordering import contacts, privacy
from ordering.catalogue import CatalogueFiles
from ordering.confirmations import Asker, Codes, Confirmed
from ordering.contacts import Correction
from ordering.domain.contact import ContactError, read_email, read_phone
from ordering.domain.reference import Reference
from ordering.export import Collector, page
from shared.contracts import Language
from shared.contracts.storefront import Text
from shared.database import Database, Tx
from shared.kernel.auth import ApiKeys
from shared.kernel.problems import Problem
from shared.sealed import Opener, Sealed, Sealer

Key = Annotated[str | None, Header(alias="Authorization", description="`Bearer <key>`")]


class Change(BaseModel):
    """New contact data; what is left out stays."""

    model_config = ConfigDict(extra="forbid")
    name: Text | None = None
    email: str | None = Field(None, max_length=320)
    phone: str | None = Field(None, max_length=32)
    language: Language | None = None


class Code(BaseModel):
    """The code that the buyer was sent."""

    model_config = ConfigDict(extra="forbid")
    code: str = Field(pattern=r"^[0-9]{6}$")


class PrivacyRequest(BaseModel):
    """What a buyer asks for; `order` is any of their orders, by id or number."""

    model_config = ConfigDict(extra="forbid")
    order: str = Field(max_length=40)
    kind: privacy.Kind


class Rights:
    """What the routes share: the database, who may ask, and the keys that codes and new contacts are sealed with."""

    def __init__(
        self,
        database: Database,
        catalogue: CatalogueFiles,
        shops: ApiKeys,
        agents: ApiKeys,
        codes: Codes | None,
        opener: Opener,
        collector: Collector,
    ) -> None:
        self.database, self.catalogue, self.shops, self.agents = database, catalogue, shops, agents
        self._codes, self._opener, self.collector = codes, opener, collector
        self._sealer = Sealer("ordering", opener.public_key)

    @property
    def codes(self) -> Codes:
        """Raises Problem (503) where this service was not told how to have codes sent."""
        if self._codes is None:
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "codes-not-configured",
                "Requests cannot be confirmed here: set NOTIFICATIONS_SEAL_PUBLIC_KEY.",
            )
        return self._codes

    def put_aside(self, correction: Correction) -> bytes:
        return self._sealer.seal(correction.packed()).model_dump_json().encode()

    def taken_out(self, payload: bytes) -> Correction:
        return Correction.unpacked(self._opener.open(Sealed.model_validate_json(payload)))

    async def order(self, tx: Tx, storefront: str | None, reference: Reference) -> Any:
        """The order and its buyer. Raises Problem: 404 unknown, 410 where the buyer was erased."""
        found = await contacts.order_of(tx, storefront, reference)
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, "unknown-order", "There is no such order.")
        if found.erased:
            raise Problem(HTTPStatus.GONE, "buyer-erased", "The buyer's data were erased; there is nothing to change.")
        return found

    def correction(self, change: Change, storefront: str) -> Correction:
        """In normal form. Raises Problem (422) naming the fields that are not valid."""
        shop = self.catalogue.current().storefront(storefront)
        errors, email, phone = [], None, None
        try:
            email = read_email(change.email) if change.email is not None else None
        except ContactError as error:
            errors.append({"field": "email", "message": str(error)})
        try:
            phone = read_phone(change.phone, shop.phone_region if shop else None) if change.phone is not None else None
        except ContactError as error:
            errors.append({"field": "phone", "message": str(error)})
        correction = Correction(
            change.name, email.address if email else None, email.key if email else None, phone, change.language
        )
        if not errors and not correction.fields:
            errors.append({"field": "body", "message": "names nothing to change"})
        if errors:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-contact", "The contact cannot be changed.", errors=errors
            )
        return correction


def router(rights: Rights) -> APIRouter:
    """The routes of contact corrections and privacy requests."""
    routes = APIRouter()
    routes.include_router(_corrections(rights))
    routes.include_router(_requests(rights))

    @routes.post("/confirmations/{confirmation_id}", tags=["rights"])
    async def confirm(confirmation_id: UUID, body: Code, authorization: Key = None) -> dict[str, str]:
        """Enter the code: the correction or request is carried out. 403 wrong code, 410 expired, 409 done before."""
        storefront = rights.shops.holder(authorization)
        async with rights.database.transaction("http") as tx:
            confirmed = await rights.codes.check(tx, storefront, confirmation_id, body.code)
            if isinstance(confirmed, Confirmed):
                await _carry_out(tx, rights, confirmed)
        if isinstance(confirmed, Problem):  # raised after the commit: a wrong code is a try that counts
            raise confirmed
        return {"purpose": confirmed.purpose, "state": "running" if confirmed.purpose == "erase" else "done"}

    return routes


async def _carry_out(tx: Tx, rights: Rights, confirmed: Confirmed) -> None:
    by = f"code by {confirmed.channel}"
    if confirmed.purpose == "contact_change":
        correction = rights.taken_out(confirmed.payload or b"")
        order = await rights.order(tx, None, Reference(order_id=confirmed.order_id))
        await contacts.correct(
            tx, confirmed.order_id, confirmed.buyer_id, correction, confirmed_by=by, trace=order.trace
        )
        return
    request = await privacy.confirm(tx, confirmed.confirmation_id, confirmed_by=by)
    if request is None:
        return
    if request.kind == "block":
        await contacts.block(tx, request.buyer_id, trace=request.trace)
    elif request.kind == "erase":
        await privacy.erase(tx, request.buyer_id, request.storefront, confirmed.confirmation_id, trace=request.trace)


def _corrections(rights: Rights) -> APIRouter:
    routes = APIRouter(tags=["rights"])

    @routes.post("/orders/{reference}/contact-changes", status_code=HTTPStatus.ACCEPTED)
    async def ask(reference: str, body: Change, authorization: Key = None) -> dict[str, Any]:
        """Correct contact data (PP 6.1). A code goes to the phone on record, or to the address if the phone changes."""
        storefront = rights.shops.holder(authorization)
        correction = rights.correction(body, storefront)
        async with rights.database.transaction("http") as tx:
            order = await rights.order(tx, storefront, Reference.read(reference))
            channel = _channel(correction)
            identity = await rights.codes.ask(
                tx, _asker(order), "contact_change", channel, rights.put_aside(correction)
            )
        return {"confirmation_id": str(identity), "sent_by": channel, "valid_minutes": 15}

    @routes.put("/orders/{reference}/contact")
    async def set_contact(reference: str, body: Change, authorization: Key = None) -> dict[str, Any]:
        """Correct contact data as an agent who has spoken with the buyer; the agent's name is kept."""
        agent = rights.agents.holder(authorization)
        async with rights.database.transaction("http") as tx:
            order = await rights.order(tx, None, Reference.read(reference))
            correction = rights.correction(body, order.storefront)
            await contacts.correct(
                tx, order.order_id, order.buyer_id, correction, confirmed_by=f"agent {agent}", trace=order.trace
            )
        return {"changed": correction.fields}

    return routes


def _requests(rights: Rights) -> APIRouter:
    routes = APIRouter(prefix="/privacy", tags=["rights"])

    @routes.post("/requests", status_code=HTTPStatus.ACCEPTED)
    async def request(body: PrivacyRequest, authorization: Key = None) -> dict[str, Any]:
        """Ask for an export, a block or an erasure (PP 6.2). A code goes to the buyer's address and confirms it."""
        storefront = rights.shops.holder(authorization)
        async with rights.database.transaction("http") as tx:
            order = await rights.order(tx, storefront, Reference.read(body.order))
            identity = await rights.codes.ask(tx, _asker(order), body.kind, "email")
            await privacy.open_request(
                tx,
                identity,
                body.kind,
                order_id=order.order_id,
                buyer_id=order.buyer_id,
                storefront=storefront,
                trace=order.trace,
            )
        return {"request_id": str(identity), "confirmation_id": str(identity), "sent_by": "email", "valid_minutes": 15}

    @routes.get("/requests/{request_id}")
    async def state(request_id: UUID, authorization: Key = None) -> dict[str, Any]:
        """Where a request stands; of an erasure also the proof: who confirmed, and what the law makes us keep."""
        row, said = await _known(rights, rights.shops.holder(authorization), request_id)
        return _proof(row, said)

    @routes.get("/requests/{request_id}/export", response_model=None)
    async def export(request_id: UUID, http: Request, authorization: Key = None) -> Response | dict[str, Any]:
        """All that we hold of the buyer, as JSON, or as a page with `Accept: text/html`."""
        row, _ = await _known(rights, rights.shops.holder(authorization), request_id)
        if row.kind != "export" or row.confirmed_at is None:
            raise Problem(HTTPStatus.CONFLICT, "not-confirmed", "This is not a confirmed request for an export.")
        async with rights.database.reading() as tx:
            own = await privacy.held(tx, row.buyer_id)
        held = {"ordering": own, **await rights.collector.collect(row.buyer_id, http.state.trace)}
        if "text/html" in http.headers.get("accept", ""):
            return HTMLResponse(page(json.loads(json.dumps(held, default=str))), headers={"Cache-Control": "no-store"})
        return held

    return routes


async def _known(rights: Rights, storefront: str, request_id: UUID) -> tuple[Any, list[Any]]:
    async with rights.database.reading() as tx:
        found = await privacy.find(tx, storefront, request_id)
    if found is None:
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-request", "There is no such request.")
    return found


def _proof(row: Any, said: list[Any]) -> dict[str, Any]:
    services = {one.service: {"erased_at": one.erased_at, "kept": one.kept} for one in said}
    missing = [name for name in privacy.SERVICES if name not in services] if row.kind == "erase" else []
    state = "awaiting_confirmation" if row.confirmed_at is None else "running" if missing else "done"
    return {
        "request_id": str(row.request_id),
        "kind": row.kind,
        "state": state,
        "requested_at": row.requested_at,
        "confirmed_at": row.confirmed_at,
        "confirmed_by": row.confirmed_by,
        "services": services,
        "waiting_for": missing if row.confirmed_at else [],
    }


def _channel(correction: Correction) -> Literal["sms", "email"]:
    """What is not being replaced reaches the buyer; where both are, the phone on record decides."""
    return "email" if correction.phone is not None and correction.email is None else "sms"


def _asker(order: Any) -> Asker:
    return Asker(order.order_id, str(order.number), order.storefront, order.buyer_id, order.trace)
