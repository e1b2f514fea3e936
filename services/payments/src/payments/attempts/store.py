"""Which attempt a buyer pays next: the last one, or a new one when that has ended."""

import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

from payments.attempts.tasks import POLL, check_payload
from payments.clients.epay.payment_object import Payer, Purchase
from payments.tables import attempts
from shared.database import Tx
from shared.kernel.problems import LimitReachedError, Problem


@dataclass(slots=True, frozen=True)
class Page:
    """All that a payment object is made of, but for the token."""

    purchase: Purchase
    payer: Payer
    trace: str | None
    secret_hash: str = field(repr=False)


_READ = """
SELECT o.order_id, o.order_number, o.buyer_id, o.plan->>'title' AS title, o.price_minor, o.currency, o.trace,
  o.captured_invoice, o.lapsed_at, c.buyer_id AS contact, c.name, c.email, c.phone, c.language,
  a.invoice_id, a.number, a.state, a.secret_hash, a.handed_out_at
FROM payment_orders o
LEFT JOIN contacts c ON c.buyer_id = o.buyer_id
JOIN LATERAL (SELECT * FROM attempts WHERE order_id = o.order_id ORDER BY number DESC LIMIT 1) a ON true
WHERE o.order_id = :order_id AND o.storefront = :storefront
"""
_HAND_OUT = "UPDATE attempts SET handed_out_at = :now WHERE invoice_id = :invoice_id AND handed_out_at IS NULL"
_OVER = frozenset({"failed", "expired"})
#: Attempts to pay one order. Their number is unique by order, so requests at once agree on the last one, too.
MOST_ATTEMPTS = 50


def new_attempt(order_id: UUID, number: int) -> dict[str, Any]:
    """A fresh attempt; its invoice id comes from the sequence, its secret from the system."""
    return {"order_id": order_id, "number": number, "secret_hash": secrets.token_hex(16)}


async def open_page(tx: Tx, order_id: UUID, storefront: str, first_poll: timedelta) -> Page:
    """The attempt to pay now, with its timer set. Raises Problem (404, 409, 410)."""
    row = await _read(tx, order_id, storefront)
    if row.state in _OVER:
        if row.number >= MOST_ATTEMPTS:
            raise LimitReachedError(
                "attempts",
                f"All {MOST_ATTEMPTS} attempts to pay this order have ended without a payment; no more are opened. "
                "Place a new order.",
                status=HTTPStatus.CONFLICT,
            )
        # Two requests at once agree on one new attempt: the number is unique, and both read it back.
        await tx.insert(attempts, [new_attempt(order_id, row.number + 1) | {"opened_at": tx.now}])
        row = await _read(tx, order_id, storefront)
    if row.handed_out_at is None:
        await tx.execute(_HAND_OUT, now=tx.now, invoice_id=row.invoice_id)
        payload = check_payload(order_id, row.price_minor, row.currency)
        tx.schedule(POLL, str(row.invoice_id), payload, due_at=tx.now + first_poll, trace=row.trace)
    return Page(
        purchase=Purchase(
            invoice_id=row.invoice_id,
            order_number=row.order_number,
            buyer_id=str(row.buyer_id),
            plan_title=row.title,
            amount=row.price_minor,
            currency=row.currency,
        ),
        payer=Payer(name=row.name, email=row.email, phone=row.phone, language=row.language),
        trace=row.trace,
        secret_hash=row.secret_hash,
    )


async def _read(tx: Tx, order_id: UUID, storefront: str) -> Any:
    row = (await tx.execute(_READ, order_id=order_id, storefront=storefront)).one_or_none()
    if row is None or row.contact is None:
        # Placed a moment ago, perhaps: the order and its buyer's contact data reach us over Kafka.
        raise Problem(
            HTTPStatus.NOT_FOUND,
            "order-not-known",
            "This order is not known here (yet). If it was placed just now, ask again.",
            headers={"Retry-After": "1"},
        )
    if row.captured_invoice is not None:
        raise Problem(HTTPStatus.CONFLICT, "already-paid", "This order has been paid.")
    if row.lapsed_at is not None:
        detail = "This order was not paid in time. Place a new one; a payment that is under way is still honoured."
        raise Problem(HTTPStatus.GONE, "payment-lapsed", detail)
    return row
