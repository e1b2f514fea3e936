"""HTTP: buyers' rights. Corrections and privacy requests come from the shop and are confirmed by a code."""

import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from ordering.catalogue import CatalogueFiles
from ordering.clients.exports import Collector, page
from ordering.contact import actions as contacts
from ordering.contact import store as mailboxes
from ordering.contact.actions import Correction
from ordering.contact.codes import Asker, Codes, Confirmed
from ordering.contact.identification import Identification
from ordering.contact.rules import Mailbox, channel_of_correction
from ordering.privacy import actions as privacy
from ordering.timeline.reference import Reference
from shared.contracts import Language
from shared.database import Database, Tx
from shared.ids import uuid7
from shared.kernel.auth import ApiKeys
from shared.kernel.privacy import PAGE_PROOF, page_proof
from shared.kernel.problems import Problem
from shared.sealed import Opener, Sealed, Sealer
from shared.values.email_address import Email
from shared.values.opaque import Credential, Named
from shared.values.phone import Phone
from shared.values.refusal import InvalidValueError
from shared.values.text import Line

Key = Annotated[str | None, Header(alias="Authorization", description="`Bearer <key>`")]
Proof = Annotated[Credential | None, Header(alias=PAGE_PROOF, description="by which our account page says who it is")]


class Change(BaseModel):
    """New contact data; what is left out stays."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Line(200)] | None = None
    email: Annotated[str, Line(320, 0)] | None = None
    phone: Annotated[str, Line(32, 0)] | None = None
    language: Language | None = None


class Code(BaseModel):
    """The code that the buyer was sent."""

    model_config = ConfigDict(extra="forbid")
    code: str = Field(pattern=r"^[0-9]{6}$")


class AgentsChange(Change):
    """New contact data, and how the agent knows whose they are."""

    identified: Identification


class AgentsRequest(BaseModel):
    """What an identified person asks an agent for."""

    model_config = ConfigDict(extra="forbid")
    kind: privacy.Kind
    identified: Identification


class PrivacyRequest(BaseModel):
    """What a buyer asks for; `order` is any of their orders, by id or number."""

    model_config = ConfigDict(extra="forbid")
    order: Annotated[str, Line(40, 0)]
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
        page_key: SecretStr | None = None,
    ) -> None:
        """`page_key`: PRIVACY_KEY, by which the account page proves that it is the one who asks."""
        self._page_key = page_key
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

    def asked_by(self, order_id: UUID, proof: str | None) -> Literal["shop", "page"]:
        """Who asks for a code; `proof` is the header's."""
        if proof is None or self._page_key is None:
            return "shop"
        return "page" if hmac.compare_digest(page_proof(self._page_key, order_id).encode(), proof.encode()) else "shop"

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

    async def mailbox(self, tx: Tx, buyer_id: UUID) -> Mailbox:
        """Its rows are locked. Raises Problem (410) where the contact was erased meanwhile."""
        found = await mailboxes.lock(tx, buyer_id)
        if found is None:
            raise Problem(HTTPStatus.GONE, "buyer-erased", "The buyer's data were erased; there is nothing to change.")
        return found

    def reader(self, header: str | None) -> str | None:
        """Whose requests the caller may see: a storefront's own, an agent (None) any. Raises Problem (401)."""
        return None if self.agents.known(header) is not None else self.shops.holder(header)

    def correction(self, change: Change, storefront: str) -> Correction:
        """In normal form. Raises Problem (422) naming the fields that are not valid."""
        shop = self.catalogue.current().storefront(storefront)
        errors, email, phone = [], None, None
        try:
            email = Email.parse(change.email) if change.email is not None else None
        except InvalidValueError as error:
            errors.append({"field": "email", "message": str(error)})
        try:
            phone = Phone.parse(change.phone, shop.phone_region if shop else None) if change.phone is not None else None
        except InvalidValueError as error:
            errors.append({"field": "phone", "message": str(error)})
        correction = Correction(
            change.name,
            email.text if email else None,
            email.key if email else None,
            phone.e164 if phone else None,
            change.language,
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
    routes.include_router(_agents_requests(rights))

    @routes.post("/confirmations/{confirmation_id}", tags=["rights"])
    async def confirm(confirmation_id: UUID, body: Code, authorization: Key = None) -> dict[str, str]:
        """Enter the code: the correction or request is carried out. 403 wrong code, 410 expired, 409 done before."""
        storefront = rights.shops.holder(authorization)
        async with rights.database.transaction("http") as tx:
            buyer_id = await rights.codes.buyer(tx, storefront, confirmation_id)
            mailbox = None if buyer_id is None else await mailboxes.lock(tx, buyer_id)
            confirmed = await rights.codes.check(tx, storefront, confirmation_id, body.code)
            if isinstance(confirmed, Confirmed):
                confirmed = await _carry_out(tx, rights, confirmed, mailbox)
        if isinstance(confirmed, Problem):  # raised after the commit: a wrong code is a try that counts
            raise confirmed
        return {"purpose": confirmed.purpose, "state": "running" if confirmed.purpose == "erase" else "done"}

    return routes


async def _carry_out(tx: Tx, rights: Rights, confirmed: Confirmed, mailbox: Mailbox | None) -> Confirmed | Problem:
    """`mailbox` is locked; None where it was erased."""
    if mailbox is None or not rights.codes.still(confirmed, mailbox.own.email, mailbox.own.phone):
        return Problem(
            HTTPStatus.GONE,
            "code-expired",
            "The contact that this code was sent to has changed; make the request again.",
        )
    by = f"code by {confirmed.channel}"
    if confirmed.channel == "email":
        await mailboxes.prove(tx, confirmed.buyer_id, "code")
        mailbox = replace(mailbox, own=replace(mailbox.own, proved=True))
    if confirmed.purpose == "contact_change":
        # A phone that was texted speaks for its own order alone.
        buyers = mailbox.reach("correct") if confirmed.channel == "email" else [confirmed.buyer_id]
        correction = rights.taken_out(confirmed.payload or b"")
        order = await rights.order(tx, None, Reference(order_id=confirmed.order_id))
        await contacts.correct(tx, confirmed.order_id, buyers, correction, confirmed_by=by, trace=order.trace)
        return confirmed
    await privacy.carry_out(tx, confirmed.confirmation_id, mailbox, confirmed_by=by)
    return confirmed


def _corrections(rights: Rights) -> APIRouter:
    routes = APIRouter(tags=["rights"])

    @routes.post("/orders/{reference}/contact-changes", status_code=HTTPStatus.ACCEPTED)
    async def ask(reference: Named, body: Change, authorization: Key = None, page: Proof = None) -> dict[str, Any]:
        """Correct contact data (PP 6.1). Once the mailbox is proved a code goes there, and its proved orders change.

        Until then it goes to the phone on record, or to the address if the phone changes, and corrects this order.
        """
        storefront = rights.shops.holder(authorization)
        correction = rights.correction(body, storefront)
        async with rights.database.transaction("http") as tx:
            order = await rights.order(tx, storefront, Reference.read(reference))
            mailbox = await rights.mailbox(tx, order.buyer_id)
            correction = _of_another_mailbox(correction, mailbox.own.email)
            channel = channel_of_correction(mailbox, correction.fields, order.orders)
            asker = _asker(order, mailbox, rights.asked_by(order.order_id, page))
            identity = await rights.codes.ask(tx, asker, "contact_change", channel, rights.put_aside(correction))
        return {"confirmation_id": str(identity), "sent_by": channel, "valid_minutes": 15}

    @routes.put("/orders/{reference}/contact")
    async def set_contact(reference: Named, body: AgentsChange, authorization: Key = None) -> dict[str, Any]:
        """Correct contact data as an agent who has identified the buyer, or who acts for them; how is kept.

        It corrects this order, and where its mailbox is proved the other proved orders of the mailbox.
        """
        agent = rights.agents.holder(authorization)
        async with rights.database.transaction("http") as tx:
            order = await rights.order(tx, None, Reference.read(reference))
            mailbox = await rights.mailbox(tx, order.buyer_id)
            correction = _of_another_mailbox(rights.correction(body, order.storefront), mailbox.own.email)
            await contacts.correct(
                tx,
                order.order_id,
                mailbox.reach("correct"),
                correction,
                confirmed_by=f"agent {agent}",
                identification=body.identified.model_dump(mode="json"),
                trace=order.trace,
            )
        return {"changed": correction.fields}

    return routes


def _requests(rights: Rights) -> APIRouter:
    routes = APIRouter(prefix="/privacy", tags=["rights"])

    @routes.post("/requests", status_code=HTTPStatus.ACCEPTED)
    async def request(body: PrivacyRequest, authorization: Key = None, page: Proof = None) -> dict[str, Any]:
        """Ask for an export, a block, its lifting or an erasure (PP 6.2). A code goes to the buyer's address.

        An export has the order and the mailbox's proved orders; the others reach every order of the mailbox.
        """
        storefront = rights.shops.holder(authorization)
        async with rights.database.transaction("http") as tx:
            order = await rights.order(tx, storefront, Reference.read(body.order))
            mailbox = await rights.mailbox(tx, order.buyer_id)
            lifts = body.kind == "unblock"
            purpose = "block" if body.kind == "unblock" else body.kind
            asker = _asker(order, mailbox, rights.asked_by(order.order_id, page))
            identity = await rights.codes.ask(tx, asker, purpose, "email", lifts=lifts)
            await _note(tx, identity, body.kind, order)
        return {"request_id": str(identity), "confirmation_id": str(identity), "sent_by": "email", "valid_minutes": 15}

    @routes.get("/requests/{request_id}")
    async def state(request_id: UUID, authorization: Key = None) -> dict[str, Any]:
        """Where a request stands; of an erasure also the proof: who confirmed, and what the law makes us keep."""
        return _proof(await _known(rights, rights.reader(authorization), request_id))

    @routes.get("/requests/{request_id}/export", response_model=None)
    async def export(request_id: UUID, http: Request, authorization: Key = None) -> Response | dict[str, Any]:
        """All that we hold of the buyer, as JSON, or as a page with `Accept: text/html`."""
        found = await _known(rights, rights.reader(authorization), request_id)
        row = found.request
        if row.kind != "export" or row.confirmed_at is None:
            raise Problem(HTTPStatus.CONFLICT, "not-confirmed", "This is not a confirmed request for an export.")
        async with rights.database.reading() as tx:
            own = await privacy.held(tx, found.buyers)
        held = {"ordering": own, **await rights.collector.collect(found.buyers, http.state.trace)}
        if "text/html" in http.headers.get("accept", ""):
            return HTMLResponse(page(json.loads(json.dumps(held, default=str))), headers={"Cache-Control": "no-store"})
        return held

    return routes


def _agents_requests(rights: Rights) -> APIRouter:
    routes = APIRouter(tags=["rights"])

    @routes.post("/orders/{reference}/privacy-requests", status_code=HTTPStatus.CREATED)
    async def act(reference: Named, body: AgentsRequest, authorization: Key = None) -> dict[str, Any]:
        """Carry out a request of PP 6.2 for a person whom an agent has identified; how is kept with the proof.

        It reaches this order, and where its mailbox is proved the mailbox's others, as after a code.
        """
        agent = rights.agents.holder(authorization)
        identity = uuid7()
        async with rights.database.transaction("http") as tx:
            order = await rights.order(tx, None, Reference.read(reference))
            mailbox = await rights.mailbox(tx, order.buyer_id)
            await _note(tx, identity, body.kind, order, body.identified.model_dump(mode="json"))
            await privacy.carry_out(tx, identity, mailbox, confirmed_by=f"agent {agent}")
        return {"request_id": str(identity), "state": "running" if body.kind == "erase" else "done"}

    return routes


async def _known(rights: Rights, storefront: str | None, request_id: UUID) -> privacy.Standing:
    async with rights.database.reading() as tx:
        found = await privacy.find(tx, storefront, request_id)
    if found is None:
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-request", "There is no such request.")
    return found


def _proof(found: privacy.Standing) -> dict[str, Any]:
    row, services = found.request, found.erased
    missing = [name for name in privacy.SERVICES if name not in services] if row.kind == "erase" else []
    state = "awaiting_confirmation" if row.confirmed_at is None else "running" if missing else "done"
    return {
        "request_id": str(row.request_id),
        "kind": row.kind,
        "state": state,
        "requested_at": row.requested_at,
        "confirmed_at": row.confirmed_at,
        "confirmed_by": row.confirmed_by,
        "identified": row.identification,
        "buyers": len(found.buyers) if row.confirmed_at else None,
        "services": services,
        "waiting_for": missing if row.confirmed_at else [],
    }


def _of_another_mailbox(correction: Correction, email: str) -> Correction:
    """Raises Problem (422) where nothing is left to change."""
    left = correction.of_another_mailbox(email)
    if not left.fields:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "invalid-contact",
            "The contact cannot be changed.",
            errors=[{"field": "email", "message": "is the mailbox on file already"}],
        )
    return left


async def _note(
    tx: Tx, request_id: UUID, kind: privacy.Kind, order: Any, identification: Mapping[str, Any] | None = None
) -> None:
    await privacy.open_request(
        tx,
        request_id,
        kind,
        order_id=order.order_id,
        buyer_id=order.buyer_id,
        storefront=order.storefront,
        identification=identification,
        trace=order.trace,
    )


def _asker(order: Any, mailbox: Mailbox, asked_by: Literal["shop", "page"]) -> Asker:
    return Asker(
        order.order_id,
        str(order.number),
        order.storefront,
        order.buyer_id,
        order.trace,
        mailbox.own.email,
        mailbox.own.phone,
        mailbox.unproved,
        asked_by,
    )
