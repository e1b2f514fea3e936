"""HTTP: the payment object for storefronts, the bank's webhook, and an order's attempts for agents."""

import asyncio
import hmac
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from payments.attempts import store
from payments.attempts.models import CHECK, CheckPayload, PayableAttempt
from payments.attempts.rules.failure_reasons import advice, sentences
from payments.clients.epay.payment_object import payment_object
from payments.clients.epay.webhook import Notice, UnreadableNoticeError, read_notice
from payments.clients.models import Expected
from payments.http_context import Context, HttpContext, Storefront, agents_only
from payments.metrics import PaymentMetrics
from shared.contracts import Language
from shared.kernel.dependencies import ServiceDatabase
from shared.kernel.problems import LimitReachedError, Problem, retry_where_new
from shared.outcomes import NotSent, Refused
from shared.values.opaque import Url

routes = APIRouter()
Link = Annotated[str, Url(or_empty=True)]
#: Different notifications that are kept of one attempt. The bank sends few; a browser has the secret too.
MOST_NOTIFICATIONS = 50
#: Seconds before an order that may be on its way is looked for again. A shop asks at once after placing it, and its
#: event takes some 50 ms: without these its buyer would wait for the second of Retry-After.
_ORDER_WAITS = (0.05, 0.1, 0.15, 0.2)


class PageRequest(BaseModel):
    """Where the bank's page sends the buyer afterwards, and its language; all optional."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    back_link: Link = ""
    failure_back_link: Link = ""
    language: Language | None = None


@routes.post("/orders/{order_id}/payment", tags=["payment"])
async def pay(
    order_id: UUID, context: Context, storefront: Storefront, page: PageRequest | None = None
) -> JSONResponse:
    """The object for `halyk.pay()`, with a new token. After a failed attempt it opens a new one."""
    page = page or PageRequest()
    attempt = await _open_attempt_of_new_order(context, order_id, storefront)
    expected = Expected(
        attempt.purchase.invoice_id, attempt.purchase.amount, attempt.purchase.currency, context.terminal
    )
    token = await context.bank.payment_token(expected, attempt.secret_hash, attempt.trace)
    if isinstance(token, NotSent):
        detail = "The bank does not answer. Send the same request again."
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "bank-away", detail, headers={"Retry-After": "2"})
    if isinstance(token, Refused):
        raise Problem(HTTPStatus.BAD_GATEWAY, "bank-refused", "The bank refused to open a payment.")
    return JSONResponse(
        payment_object(
            attempt.purchase,
            attempt.payer,
            auth=token.value,
            terminal=context.terminal,
            post_link=context.webhook_url,
            back_link=page.back_link,
            failure_back_link=page.failure_back_link,
            language=page.language,
        ),
        headers={"Cache-Control": "no-store"},
    )


@routes.post("/epay/webhook", tags=["webhook"], name="webhook")
async def receive_webhook(request: Request, context: Context) -> JSONResponse:
    """200 after the notification and the task that asks the bank are committed. Nothing else changes.

    Both postLink and failurePostLink. The bank does not sign it: `secret_hash` is the attempt's own secret.
    """
    webhooks = context.metrics.webhooks
    notice = _read(await request.body(), context.metrics)
    async with context.database.transaction() as tx:
        target = await store.webhook_target(tx, notice.invoice_id)
        if target is None:
            webhooks.labels("unknown_invoice").inc()
            raise Problem(HTTPStatus.NOT_FOUND, "unknown-invoice", "No payment attempt has this invoiceId.")
        if not hmac.compare_digest(notice.secret_hash.encode(), target.secret_hash.encode()):
            webhooks.labels("wrong_secret").inc()
            raise Problem(HTTPStatus.FORBIDDEN, "wrong-secret", "secret_hash is not that of this attempt.")
        is_new = await store.record_notice(tx, notice)
        if is_new and await store.count_notices(tx, notice.invoice_id) > MOST_NOTIFICATIONS:
            webhooks.labels("too_many").inc()
            raise LimitReachedError(
                "notifications",
                f"{MOST_NOTIFICATIONS} different notifications of this attempt are stored, and no more are. None "
                "is needed: the bank is asked for its state, also without them.",
                status=HTTPStatus.CONFLICT,
            )
        if is_new:
            payload = CheckPayload(
                order_id=target.order_id,
                amount=target.amount,
                currency=target.currency,
                order_number=target.order_number,
            )
            tx.schedule(CHECK, str(notice.invoice_id), payload, trace=target.trace)
    webhooks.labels("accepted" if is_new else "repeated").inc()
    return JSONResponse({"status": "ok"})


@routes.get("/orders/{order_id}/attempts", tags=["agents"], dependencies=[agents_only])
async def order_attempts(order_id: UUID, database: ServiceDatabase) -> JSONResponse:
    """Every attempt to pay, and for failed ones why: the buyer's sentences, and what an agent should know."""
    async with database.reading() as tx:
        rows = await store.of_order(tx, order_id)
    if not rows:
        raise Problem(HTTPStatus.NOT_FOUND, "order-not-known", "No order has this id here.")
    return JSONResponse({"order_id": str(order_id), "attempts": [_attempt(row) for row in rows]})


async def _open_attempt_of_new_order(context: HttpContext, order_id: UUID, storefront: str) -> PayableAttempt:
    """The attempt to pay. An order that was placed just now is waited for, for half a second. Raises Problem."""
    retry = retry_where_new(order_id, context.database.clock.now())
    for wait in _ORDER_WAITS if retry else ():
        try:
            return await _open_attempt(context, order_id, storefront)
        except store.OrderNotStoredError:
            await asyncio.sleep(wait)
    try:
        return await _open_attempt(context, order_id, storefront)
    except store.OrderNotStoredError:
        detail = (
            "This order has not reached payments yet, or it is not yours. If you placed it just now, ask again."
            if retry
            else "There is no such order, or it is not yours. Repeating the request will not help."
        )
        raise Problem(HTTPStatus.NOT_FOUND, "order-not-known", detail, headers=retry) from None


async def _open_attempt(context: HttpContext, order_id: UUID, storefront: str) -> PayableAttempt:
    """Raises OrderNotStoredError; Problem where it cannot be paid."""
    try:
        async with context.database.transaction() as tx:
            return await store.open_attempt(tx, order_id, storefront, context.first_poll)
    except store.OrderAlreadyPaidError:
        raise Problem(HTTPStatus.CONFLICT, "already-paid", "This order has been paid.") from None
    except store.OrderLapsedError:
        detail = "This order was not paid in time. Place a new one; a payment that is under way is still honoured."
        raise Problem(HTTPStatus.GONE, "payment-lapsed", detail) from None
    except store.TooManyAttemptsError:
        detail = (
            f"All {store.MOST_ATTEMPTS} attempts to pay this order have ended without a payment; no more are opened. "
            "Place a new order."
        )
        raise LimitReachedError("attempts", detail, status=HTTPStatus.CONFLICT) from None


def _read(body: bytes, metrics: PaymentMetrics) -> Notice:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, Mapping):
        metrics.webhooks.labels("unreadable").inc()
        raise Problem(HTTPStatus.BAD_REQUEST, "malformed-json", "The body is not a JSON object.")
    try:
        return read_notice(value)
    except UnreadableNoticeError as error:
        metrics.webhooks.labels("unreadable").inc()
        errors = [{"field": error.field, "message": "is missing or not what Epay sends"}]
        detail = "A field is missing or wrong; see errors."
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-webhook", detail, errors=errors) from None


def _attempt(row: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "invoice_id": str(row.invoice_id),
        "number": row.number,
        "state": row.state,
        "transaction_id": row.transaction_id,
        "opened_at": row.opened_at.isoformat(),
        "handed_out_at": row.handed_out_at and row.handed_out_at.isoformat(),
        "settled_at": row.settled_at and row.settled_at.isoformat(),
    }
    if row.state == "failed":
        code = row.reason_code or 0
        shown |= {"reason_code": code, "buyer": sentences(code), "agent": advice(code)}
    return shown
