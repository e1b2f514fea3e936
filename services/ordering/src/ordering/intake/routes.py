"""HTTP: shops place orders and look at them; operations people look at anybody's. Every call carries an API key."""

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic_core import from_json

from ordering.catalogue import CatalogueFiles
from ordering.catalogue.models import Catalogue, Storefront
from ordering.holds.rules import Limits
from ordering.intake.actions import Submission, accept
from ordering.intake.rules.validation import BAD_KEY, OUTDATED, UNKNOWN_STOREFRONT, Refusal
from ordering.intake.store import Placed, Session, find
from ordering.timeline.reference import Reference
from ordering.timeline.rules.sentences import Known, Tongue
from ordering.timeline.views import OrderAnswer, OrderView, StorefrontView, TimelineLine
from shared.contracts import OrderRequest
from shared.database import Database
from shared.kernel.auth import ApiKeys
from shared.kernel.problems import Problem
from shared.telemetry.trace_links import TraceLinks
from shared.values.client_address import ClientAddress
from shared.values.opaque import Named
from shared.values.text import cleaned

_MAX_HEADER = 500
_STATUS = {
    OUTDATED: HTTPStatus.CONFLICT,
    UNKNOWN_STOREFRONT: HTTPStatus.FORBIDDEN,
    BAD_KEY: HTTPStatus.BAD_REQUEST,
}
Key = Annotated[str | None, Header(alias="Authorization", description="`Bearer <API key>`")]


def router(
    database: Database,
    catalogue: CatalogueFiles,
    keys: ApiKeys,
    keep_sessions: timedelta,
    limits: Limits,
    trace_links: TraceLinks,
    desk: ApiKeys,
) -> APIRouter:
    """The routes of ordering. `desk` are the keys of operations people."""
    routes = APIRouter()

    @routes.post("/orders", status_code=HTTPStatus.CREATED, tags=["orders"], openapi_extra=_order_body())
    async def place_order(
        request: Request,
        response: Response,
        authorization: Key = None,
        idempotency_key: Annotated[str | None, Header(description="1-100 printable ASCII characters")] = None,
    ) -> OrderAnswer:
        """Place an order. The same key and body give the same answer, marked `Idempotent-Replay: true`."""
        storefront = keys.holder(authorization)
        if not idempotency_key:
            raise Problem(
                HTTPStatus.BAD_REQUEST,
                "idempotency-key-missing",
                "Send an Idempotency-Key: one key for one order, the same on every retry.",
            )
        order = _json(await request.body())
        submission = Submission(storefront, idempotency_key, order, request.state.trace, _session(request))
        async with database.transaction("http") as tx:
            [outcome] = await accept(tx, catalogue.current(), [submission], keep_sessions=keep_sessions, limits=limits)
        if isinstance(outcome, Refusal):
            raise _problem(outcome)
        if outcome.replayed:
            response.headers["Idempotent-Replay"] = "true"
        return OrderAnswer.of(outcome.placed)

    @routes.get("/orders/{reference}", tags=["orders"])
    async def order(reference: Named, authorization: Key = None) -> OrderView:
        """An order by its id or its number: the shop's own; with an operations key anybody's."""
        placed, facts = await _find(database, _shop_or_desk(keys, desk, authorization), reference)
        return OrderView.at_present(placed, facts, trace_links)

    @routes.get("/orders/{reference}/timeline", tags=["orders"])
    async def timeline(
        reference: Named,
        authorization: Key = None,
        lang: Annotated[Tongue | None, Query(description="the storefront's language by default")] = None,
    ) -> list[TimelineLine]:
        """What happened to an order, in sentences for its buyer."""
        slug = _shop_or_desk(keys, desk, authorization)
        _placed, facts = await _find(database, slug, reference)
        shop = catalogue.current().storefront(slug) if slug else None
        tongue: Tongue = lang or ("ru" if shop and shop.language == "ru" else "en")
        return TimelineLine.story(facts, shop.time_zone if shop else "UTC", tongue, trace_links)

    @routes.get("/storefront", tags=["catalogue"])
    async def storefront(authorization: Key = None) -> StorefrontView:
        """The calling shop: its plans and prices, and the document versions that its orders must name."""
        current = catalogue.current()
        return StorefrontView.of(_shop(current, keys.holder(authorization)), current)

    return routes


def _shop(catalogue: Catalogue, slug: str) -> Storefront:
    shop = catalogue.storefront(slug)
    if shop is None:
        raise _problem(Refusal(UNKNOWN_STOREFRONT))
    return shop


def _shop_or_desk(keys: ApiKeys, desk: ApiKeys, authorization: str | None) -> str | None:
    """The shop that asks; None for operations people. Raises Problem (401) for anybody else."""
    return None if desk.known(authorization) else keys.holder(authorization)


async def _find(database: Database, storefront: str | None, reference: str) -> tuple[Placed, list[Known]]:
    async with database.reading() as tx:
        found = await find(tx, storefront, Reference.read(reference))
    if found is None:
        raise _unknown_order()
    return found


def _unknown_order() -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, "unknown-order", "There is no such order, or it is not this storefront's.")


def _problem(refusal: Refusal) -> Problem:
    status = _STATUS.get(refusal.reason, HTTPStatus.UNPROCESSABLE_ENTITY)
    # What Kafka calls submission_id is a header here, and the sentence says all about it.
    errors = [dict(error) for error in refusal.errors if error.field != "submission_id"]
    return Problem(status, refusal.reason, refusal.detail, errors=errors)


def _json(body: bytes) -> Any:
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError:
        raise Problem(HTTPStatus.BAD_REQUEST, "malformed-json", "The body is not valid JSON.") from None


def _session(request: Request) -> Session:
    """The buyer's own session, passed on by the shop's server: the first address is the buyer's (PP 3.3)."""
    forwarded = request.headers.get("x-forwarded-for", "").partition(",")[0].strip()
    peer = request.client.host if request.client else ""
    return Session(
        ip=address.text if (address := ClientAddress.parse(forwarded or peer)) is not None else None,
        user_agent=cleaned(request.headers.get("user-agent"), _MAX_HEADER) or None,
        referrer=cleaned(request.headers.get("referer"), _MAX_HEADER) or None,
    )


def _order_body() -> dict[str, Any]:
    """The body is read by hand (its bytes decide about repetition); this is its description."""
    schema = OrderRequest.model_json_schema()
    schema["properties"]["buyer"] = schema.pop("$defs")["Buyer"]
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
