"""Refusals over HTTP: RFC 9457 problem documents that say what is wrong and what to do, without any value."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from shared.database import is_infrastructure
from shared.ids import uuid7_moment
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
#: As long as an order may be paid, where its shop says nothing else (`PAYMENT_LAPSE_SECONDS`).
_MAY_BE_ON_ITS_WAY = timedelta(days=1)
_NAME = re.compile(r"[0-9A-Za-z_-]{1,60}", re.ASCII)


class Problem(Exception):  # noqa: N818 - RFC 9457's own word
    """A refusal. `kind` becomes `type` (`urn:problem:<kind>`); `errors` are field-level reasons."""

    def __init__(
        self,
        status: HTTPStatus,
        kind: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})

    def response(self) -> JSONResponse:
        """The problem document."""
        body: dict[str, Any] = {
            "type": f"urn:problem:{self.kind}",
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = self.errors
        return JSONResponse(body, self.status, headers=self.headers, media_type="application/problem+json")


def retry_where_new(order_id: UUID, now: datetime) -> dict[str, str]:
    """Headers of the answer that an order is not known: `Retry-After` where it may still be on its way here.

    The id says when the order was placed. The event of an order reaches another service within a moment, and after an
    interruption as late as that lasts; one that was placed a day ago, or whose id is none of ours, will not come.
    """
    placed = uuid7_moment(order_id)
    return {"Retry-After": "1"} if placed is not None and abs(now - placed) < _MAY_BE_ON_ITS_WAY else {}


class LimitReachedError(Problem):
    """So much was accepted already, and no more is (429, or 409 where waiting does not help). Nothing was changed.

    `limit` names the limit in the metric `limits_reached`, and its kind is `too-many-<limit>`. `detail` says how much
    is allowed, and what to do instead. `again`: when the limit lets something through again, at the latest.
    """

    def __init__(
        self,
        limit: str,
        detail: str,
        *,
        again: timedelta | None = None,
        status: HTTPStatus = HTTPStatus.TOO_MANY_REQUESTS,
        errors: Sequence[Mapping[str, str]] = (),
    ) -> None:
        headers = {} if again is None else {"Retry-After": str(math.ceil(again.total_seconds()))}
        super().__init__(status, f"too-many-{limit}", detail, errors=errors, headers=headers)
        self.limit = limit


def field_errors(errors: Sequence[Any]) -> list[dict[str, str]]:
    """Validation errors as fields and reasons, without values and without messages that may repeat them.

    A sender chooses the names of unknown fields: only text that looks like a field name is repeated.
    """
    fields = []
    for error in errors:
        location = [
            part if _NAME.fullmatch(part) else "?"
            for part in map(str, error["loc"])
            if part not in ("body", "query", "path", "header")
        ]
        message = error["msg"] if error["type"] != "value_error" else str(error.get("ctx", {}).get("error", "invalid"))
        fields.append({"field": ".".join(location) or "body", "message": message})
    return fields


def invalid_request(errors: Sequence[Mapping[str, str]]) -> Problem:
    """The refusal of fields (422). `errors`: as of `field_errors`."""
    detail = "Some fields are missing or wrong; see errors."
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", detail, errors=errors)


def install(app: FastAPI, limited: Callable[[str], None] = lambda _limit: None) -> None:
    """Answer every refusal and failure of this app with a problem document. `limited` hears of each limit reached."""

    @app.exception_handler(Problem)
    async def _problem(_request: Request, problem: Problem) -> JSONResponse:
        if isinstance(problem, LimitReachedError):
            limited(problem.limit)
        return problem.response()

    @app.exception_handler(RequestValidationError)
    async def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        errors = error.errors()
        if any(item["type"] == "json_invalid" for item in errors):
            return Problem(HTTPStatus.BAD_REQUEST, "malformed-json", "The body is not valid JSON.").response()
        return invalid_request(field_errors(errors)).response()

    @app.exception_handler(HTTPException)
    async def _http(_request: Request, error: HTTPException) -> JSONResponse:
        status = HTTPStatus(error.status_code)
        kind = getattr(error, "kind", status.phrase.lower().replace(" ", "-"))
        return Problem(status, kind, str(error.detail), headers=error.headers).response()

    @app.exception_handler(Exception)
    async def _broken(_request: Request, error: Exception) -> JSONResponse:
        log.error("request_failed", error=error)
        if is_infrastructure(error):
            return Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "try-again",
                "A part of the service is unavailable. Nothing was changed; send the same request again.",
                headers={"Retry-After": "2"},
            ).response()
        return Problem(
            HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error", "The fault is ours and has been logged."
        ).response()
