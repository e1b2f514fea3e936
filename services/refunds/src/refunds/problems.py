"""Finding the order that a caller names, and saying why a request for it is refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from uuid import UUID

from refunds.callers import Caller
from refunds.cases.limits import LimitError
from refunds.cases.models.errors import AlreadyRefundedError, NotAllowedError, NotPaidError, UnknownOrderError
from shared.database import Tx
from shared.kernel.problems import LimitReachedError, Problem

_BY_ID = "SELECT * FROM order_facts WHERE order_id = :id"
_BY_NUMBER = "SELECT * FROM order_facts WHERE order_number = :number"
_BY_CASE = "SELECT order_id FROM cases WHERE case_id = :case"


async def order_of(tx: Tx, named: str, caller: Caller) -> Any:
    """The row of `order_facts` by order id or number. Raises Problem (404), also for another storefront's order."""
    try:
        found = (await tx.execute(_BY_ID, id=UUID(named))).one_or_none()
    except ValueError:
        found = (await tx.execute(_BY_NUMBER, number=named)).first()
    if found is None or (caller.storefront is not None and found.storefront != caller.storefront):
        raise unknown_order()
    return found


async def order_of_case(tx: Tx, case_id: UUID, caller: Caller) -> Any:
    """The order that a case belongs to. Raises Problem (404)."""
    order_id = (await tx.execute(_BY_CASE, case=case_id)).scalar()
    found = None if order_id is None else (await tx.execute(_BY_ID, id=order_id)).one_or_none()
    if found is None or (caller.storefront is not None and found.storefront != caller.storefront):
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-case", "Nothing is known of a case of this id.")
    return found


def unknown_order() -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, "unknown-order", "Nothing is known of an order of this id or number.")


@contextmanager
def refusals() -> Iterator[None]:
    """The case_service's refusals as problem documents."""
    try:
        yield
    except UnknownOrderError:
        raise unknown_order() from None
    except NotPaidError:
        raise Problem(
            HTTPStatus.CONFLICT,
            "not-paid",
            "The order is not known to be paid. If it was paid just now, send the request again in a minute.",
        ) from None
    except AlreadyRefundedError as error:
        told = "" if error.case_id is None else f" It is case {error.case_id}."
        raise Problem(
            HTTPStatus.CONFLICT, "already-refunded", f"Everything that was paid goes back by another case.{told}"
        ) from None
    except NotAllowedError as error:
        raise Problem(HTTPStatus.CONFLICT, "not-now", str(error)) from None
    except LimitError as error:
        status = HTTPStatus.CONFLICT if error.again is None else HTTPStatus.TOO_MANY_REQUESTS
        raise LimitReachedError(error.limit, str(error), again=error.again, status=status) from None
