"""HTTP: a shop, or an agent, has the code of an order sent to its buyer again."""

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header

from notifications.newsletters import CallingAuthor
from notifications.resends.models import SHOP_RESENDS_A_DAY, NotResentError, Resend
from notifications.resends.store import resend
from shared.kernel.dependencies import ServiceDatabase
from shared.kernel.problems import LimitReachedError, Problem
from shared.values.opaque import Named
from shared.values.text import Line

router = APIRouter(tags=["delivery"])
_LONGEST_NUMBER = 15  # contracts.base.OrderNumber
_DAY = timedelta(days=1)
_REFUSALS = {
    "unknown-order": (
        HTTPStatus.NOT_FOUND,
        "There is no such order, or it is not this storefront's, or it has not been paid yet.",
    ),
    "key-reused": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "This Idempotency-Key was used for another order; take a new key for a new request.",
    ),
    "erased": (HTTPStatus.GONE, "The buyer's data was erased: no address is stored that the code could be sent to."),
    "blocked": (HTTPStatus.CONFLICT, "The buyer has blocked this data; the code can be shown on the order's page."),
    "no-code": (HTTPStatus.CONFLICT, "There is no code that works: not generated yet, or revoked or expired."),
    "on-its-way": (HTTPStatus.CONFLICT, "The code is being sent for the first time; see the order's delivery."),
}
_KINDS = {"key-reused": "idempotency-key-reused", "erased": "buyer-erased", "blocked": "buyer-blocked"}


@router.post("/orders/{reference}/resend", status_code=HTTPStatus.ACCEPTED, name="resend")
async def resend_code(
    reference: Named,
    author: CallingAuthor,
    database: ServiceDatabase,
    idempotency_key: Annotated[str, Line(100), Header(description="one key for one request, the same on every retry")],
) -> Resend:
    """Send the code of an order, by its id or number, to its buyer again: at most three times in 24 hours.

    Agents, who see the orders of all shops, and the shop share this limit.
    """
    order_id, number = _read(reference)
    try:
        async with database.transaction("http") as tx:
            return await resend(tx, author.storefront, idempotency_key, order_id, number)
    except NotResentError as error:
        raise _problem(error.reason) from None


def _problem(reason: str) -> Problem:
    if reason == "limit":
        return LimitReachedError(
            "resends",
            f"The code of an order is sent again {SHOP_RESENDS_A_DAY} times in 24 hours at most. Perhaps the "
            "address is wrong: correct the contact in ordering, and the code is sent to the new one.",
            again=_DAY,
        )
    status, detail = _REFUSALS[reason]
    return Problem(status, _KINDS.get(reason, reason), detail)


def _read(reference: str) -> tuple[UUID | None, str | None]:
    """An order's id, or its number. Both None where the text can be neither: nothing has such a name."""
    if reference.isascii() and reference.isdecimal() and len(reference) <= _LONGEST_NUMBER:
        return None, reference
    try:
        return UUID(reference), None
    except ValueError:
        return None, None
