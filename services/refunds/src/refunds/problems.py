"""Answers the domain errors of the features over HTTP, as problem documents (RFC 9457)."""

from collections.abc import Callable
from http import HTTPStatus
from uuid import UUID

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from refunds.cases import (
    AlreadyRefundedError,
    AmountError,
    KeyReusedError,
    LimitError,
    NotAllowedError,
    NotPaidError,
    UnknownCaseError,
    UnknownOrderError,
)
from shared.clock import Clock
from shared.kernel.problems import LimitReachedError, Problem, retry_where_new


def install(app: FastAPI, count_limit: Callable[[str], None]) -> None:
    """Register a handler for each domain error. `count_limit` counts each limit that is reached, by its name."""

    @app.exception_handler(UnknownOrderError)
    async def _unknown_order(request: Request, _error: UnknownOrderError) -> JSONResponse:
        detail = "Nothing is known of an order of this id or number; it becomes known when it is paid."
        return Problem(HTTPStatus.NOT_FOUND, "unknown-order", detail, headers=_retry(request)).response()

    @app.exception_handler(UnknownCaseError)
    async def _unknown_case(_request: Request, _error: UnknownCaseError) -> JSONResponse:
        return Problem(HTTPStatus.NOT_FOUND, "unknown-case", "Nothing is known of a case of this id.").response()

    @app.exception_handler(NotPaidError)
    async def _not_paid(_request: Request, _error: NotPaidError) -> JSONResponse:
        return Problem(
            HTTPStatus.CONFLICT,
            "not-paid",
            "The order is not known to be paid. If it was paid just now, send the request again.",
            headers={"Retry-After": "1"},  # what is known of an order follows from its payment, which is on its way
        ).response()

    @app.exception_handler(AlreadyRefundedError)
    async def _already_refunded(_request: Request, error: AlreadyRefundedError) -> JSONResponse:
        which = "" if error.case_id is None else f" It is case {error.case_id}."
        return Problem(
            HTTPStatus.CONFLICT, "already-refunded", f"Everything that was paid goes back by another case.{which}"
        ).response()

    @app.exception_handler(AmountError)
    async def _amount(_request: Request, error: AmountError) -> JSONResponse:
        errors = [{"field": "amount", "message": str(error)}]
        detail = "This amount cannot be returned; see errors."
        return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "impossible-amount", detail, errors=errors).response()

    @app.exception_handler(KeyReusedError)
    async def _key_reused(_request: Request, _error: KeyReusedError) -> JSONResponse:
        detail = "This Idempotency-Key stands for another refund; take a new key for a new one."
        return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency-key-reused", detail).response()

    @app.exception_handler(NotAllowedError)
    async def _not_allowed(_request: Request, error: NotAllowedError) -> JSONResponse:
        return Problem(HTTPStatus.CONFLICT, "not-now", str(error)).response()

    @app.exception_handler(LimitError)
    async def _limit_reached(_request: Request, error: LimitError) -> JSONResponse:
        count_limit(error.limit)
        status = HTTPStatus.CONFLICT if error.again is None else HTTPStatus.TOO_MANY_REQUESTS
        return LimitReachedError(error.limit, str(error), again=error.again, status=status).response()


def _retry(request: Request) -> dict[str, str]:
    """Whether a shop that acts on an order may send the same again: its payment may be on its way here.

    Not for what only reads: a page that shows an order before it is paid shall not wait.
    """
    try:
        order_id = UUID(request.path_params.get("order", ""))
    except ValueError:
        return {}
    clock: Clock = request.app.state.service.clock
    return retry_where_new(order_id, clock.now()) if request.method == "POST" else {}
