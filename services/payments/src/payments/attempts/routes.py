"""HTTP: the payment object for storefronts, and the bank's webhook."""

import hmac
import json
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from payments.attempts import store as pages
from payments.attempts.rules.status import Expected
from payments.attempts.tasks import CHECK, check_payload
from payments.clients.bank import Bank, BankAwayError, BankRefusedError
from payments.clients.epay.payment_object import payment_object
from payments.clients.epay.webhook import Notice, UnreadableNoticeError, read_notice
from payments.metrics import PaymentMetrics
from payments.tables import notifications
from shared.contracts import Language
from shared.database import Database
from shared.kernel.auth import ApiKeys
from shared.kernel.problems import LimitReachedError, Problem
from shared.values.opaque import Url

Link = Annotated[str, Url(or_empty=True)]

#: Different notifications of one attempt. The bank tells of a handful; a buyer's browser knows the secret too.
MOST_NOTIFICATIONS = 50
#: Locked, so that notifications of one attempt are counted one after the other.
_BY_INVOICE = """
SELECT a.secret_hash, a.order_id, o.price_minor, o.currency, o.trace
FROM attempts a JOIN payment_orders o ON o.order_id = a.order_id WHERE a.invoice_id = :invoice_id
FOR NO KEY UPDATE OF a
"""
_STORED = "SELECT count(*) FROM notifications WHERE invoice_id = :invoice_id"


class PageRequest(BaseModel):
    """Where the bank's page sends the buyer afterwards, and its language; all optional."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    back_link: Link = ""
    failure_back_link: Link = ""
    language: Language | None = None


def payment_router(
    database: Database,
    bank: Bank,
    keys: ApiKeys,
    *,
    terminal: str,
    post_link: str,
    first_poll: timedelta,
) -> APIRouter:
    """`POST /orders/{order_id}/payment` for storefronts."""
    routes = APIRouter(tags=["payment"])

    @routes.post("/orders/{order_id}/payment")
    async def pay(order_id: UUID, request: Request, page: PageRequest | None = None) -> JSONResponse:
        """The object for `halyk.pay()`, with a token minted now. A failed attempt is followed by a new one."""
        storefront = keys.holder(request.headers.get("authorization"))
        page = page or PageRequest()
        async with database.transaction() as tx:
            opened = await pages.open_page(tx, order_id, storefront, first_poll)
        expected = Expected(opened.purchase.invoice_id, opened.purchase.amount, opened.purchase.currency, terminal)
        try:
            auth = await bank.payment_token(expected, opened.secret_hash, opened.trace)
        except BankAwayError:
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "bank-away",
                "The bank does not answer. Send the same request again.",
                headers={"Retry-After": "2"},
            ) from None
        except BankRefusedError:
            raise Problem(HTTPStatus.BAD_GATEWAY, "bank-refused", "The bank refused to open a payment.") from None
        return JSONResponse(
            payment_object(
                opened.purchase,
                opened.payer,
                auth=dict(auth),
                terminal=terminal,
                post_link=post_link,
                back_link=page.back_link,
                failure_back_link=page.failure_back_link,
                language=page.language,
            ),
            headers={"Cache-Control": "no-store"},
        )

    return routes


def webhook_router(database: Database, metrics: PaymentMetrics) -> APIRouter:
    """`POST /epay/webhook`, both postLink and failurePostLink. It is not signed: it only makes us ask."""
    routes = APIRouter(tags=["webhook"])

    @routes.post("/epay/webhook")
    async def webhook(request: Request) -> JSONResponse:
        """200 once the notification and the question to the bank are committed."""
        notice = _notice(await request.body(), metrics)
        async with database.transaction() as tx:
            row = (await tx.execute(_BY_INVOICE, invoice_id=notice.invoice_id)).one_or_none()
            if row is None:
                metrics.webhooks.labels("unknown_invoice").inc()
                raise Problem(HTTPStatus.NOT_FOUND, "unknown-invoice", "No payment attempt has this invoiceId.")
            if not hmac.compare_digest(notice.secret_hash.encode(), row.secret_hash.encode()):
                metrics.webhooks.labels("wrong_secret").inc()
                raise Problem(HTTPStatus.FORBIDDEN, "wrong-secret", "secret_hash is not that of this attempt.")
            new = await tx.insert(notifications, [_stored(notice) | {"received_at": tx.now}], returning="invoice_id")
            if new and (await tx.execute(_STORED, invoice_id=notice.invoice_id)).scalar() > MOST_NOTIFICATIONS:
                metrics.webhooks.labels("too_many").inc()
                raise LimitReachedError(
                    "notifications",
                    f"{MOST_NOTIFICATIONS} different notifications of this attempt are stored, and no more are. None "
                    "is needed: the bank is asked for its state, also without them.",
                    status=HTTPStatus.CONFLICT,
                )
            if new:
                payload = check_payload(row.order_id, row.price_minor, row.currency)
                tx.schedule(CHECK, str(notice.invoice_id), payload, trace=row.trace)
        metrics.webhooks.labels("accepted" if new else "repeated").inc()
        return JSONResponse({"status": "ok"})

    return routes


def _notice(body: bytes, metrics: PaymentMetrics) -> Notice:
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


def _stored(notice: Notice) -> dict[str, Any]:
    return {
        "invoice_id": notice.invoice_id,
        "transaction_id": notice.transaction_id,
        "code": notice.code,
        "reason_code": notice.reason_code,
    }
