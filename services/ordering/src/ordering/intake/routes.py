"""HTTP: shops place orders."""

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from pydantic_core import from_json

from ordering.dependencies import Accounts, CatalogueNow, OrderGroups, WritingCaller
from ordering.intake.actions import check
from ordering.intake.models import (
    BAD_KEY,
    OUTDATED,
    TOO_MANY_ORDERS,
    UNKNOWN_STOREFRONT,
    CheckoutSession,
    Refusal,
    Submission,
)
from ordering.timeline import OrderAnswer
from shared.contracts import OrderRequest
from shared.kernel.problems import LimitReachedError, Problem
from shared.values.client_address import ClientAddress
from shared.values.text import cleaned

_MAX_HEADER = 500
_STATUS = {
    OUTDATED: HTTPStatus.CONFLICT,
    UNKNOWN_STOREFRONT: HTTPStatus.FORBIDDEN,
    BAD_KEY: HTTPStatus.BAD_REQUEST,
}
router = APIRouter(tags=["orders"])


def _body_description() -> dict[str, Any]:
    """OpenAPI of the body, which the endpoint parses itself, because a repetition is recognised by its JSON."""
    schema = OrderRequest.model_json_schema()
    models = schema.pop("$defs")  # an OpenAPI document has them elsewhere: each stands where it is used
    models["Buyer"]["properties"]["company"]["anyOf"][0] = models["BuyerCompany"]
    schema["properties"]["buyer"] = models["Buyer"]
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


@router.post("/orders", status_code=HTTPStatus.CREATED, openapi_extra=_body_description())
async def place_order(
    request: Request,
    response: Response,
    caller: WritingCaller,
    catalogue: CatalogueNow,
    orders: OrderGroups,
    accounts: Accounts,
    idempotency_key: Annotated[str | None, Header(description="1-100 printable ASCII characters")] = None,
) -> OrderAnswer:
    """Place an order. The same key and body give the same answer, marked `Idempotent-Replay: true`."""
    if not idempotency_key:
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "idempotency-key-missing",
            "Send an Idempotency-Key: one key for one order, the same on every retry.",
        )
    order = _parse(await request.body())
    submission = Submission(
        caller.storefront, idempotency_key, order, request.state.trace, _session(request), test=caller.test
    )
    result = await orders.accept(check(submission, catalogue))
    if isinstance(result, Refusal):
        raise _problem(result)
    if result.replayed:
        response.headers["Idempotent-Replay"] = "true"
    return OrderAnswer.of(result.placed, accounts)


def _problem(refusal: Refusal) -> Problem:
    if refusal.reason == TOO_MANY_ORDERS:
        return LimitReachedError("orders", refusal.detail, errors=_errors(refusal), again=timedelta(days=1))
    status = _STATUS.get(refusal.reason, HTTPStatus.UNPROCESSABLE_ENTITY)
    return Problem(status, refusal.reason, refusal.detail, errors=_errors(refusal))


def _errors(refusal: Refusal) -> list[dict[str, str]]:
    # `submission_id` is a field over Kafka; over HTTP it is the header, which the detail explains.
    return [error.model_dump() for error in refusal.errors if error.field != "submission_id"]


def _parse(body: bytes) -> Any:
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError:
        raise Problem(HTTPStatus.BAD_REQUEST, "malformed-json", "The body is not valid JSON.") from None


def _session(request: Request) -> CheckoutSession:
    """The buyer's session, as the shop's server forwards it: the first address is the buyer's (PP 3.3)."""
    forwarded = request.headers.get("x-forwarded-for", "").partition(",")[0].strip()
    peer = request.client.host if request.client else ""
    return CheckoutSession(
        address=ClientAddress.parse(forwarded or peer),
        user_agent=cleaned(request.headers.get("user-agent"), _MAX_HEADER) or None,
        referrer=cleaned(request.headers.get("referer"), _MAX_HEADER) or None,
    )
