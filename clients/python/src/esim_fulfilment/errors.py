"""Errors of the client. Every answer that is no success becomes one of these, with the fields of its problem document.

The services answer a refusal with a problem document (RFC 9457). `ProblemError.kind` is the last part of its `type`
(`urn:problem:<kind>`), which is stable. Kinds that a shop acts upon have a class of their own; all others have the
class of their HTTP status.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

_URN = "urn:problem:"


class FulfilmentError(Exception):
    """Any error that this package raises."""


class UnreachableError(FulfilmentError):
    """No answer came, also after retries. What was sent may have been carried out: send it again with the same key."""


class UnexpectedAnswerError(FulfilmentError):
    """The answer is not what the interface describes, for example a page of a proxy in between."""


class InvalidWebhookError(FulfilmentError):
    """A webhook that is not genuine, is older than five minutes, or has no readable body. Answer it with 400."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One wrong field of a request: its path (`buyer.email`) and what is wrong, without the value."""

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem document. `extra` holds members that RFC 9457 does not define."""

    status: int
    type: str = "about:blank"
    title: str = ""
    detail: str = ""
    errors: tuple[FieldProblem, ...] = ()
    #: Seconds, from the header Retry-After; None where the header is missing.
    retry_after: float | None = None
    extra: Mapping[str, JsonValue] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The last part of `urn:problem:<kind>`; the whole type where it has another form."""
        return self.type.removeprefix(_URN)


class ProblemError(FulfilmentError):
    """The service refused the request."""

    def __init__(self, problem: Problem) -> None:
        fields = "; ".join(f"{error.field}: {error.message}" for error in problem.errors)
        words = problem.detail or problem.title or "no detail"
        super().__init__(f"{problem.status} {problem.kind}: {words}" + (f" ({fields})" if fields else ""))
        self.problem = problem

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.problem.status

    @property
    def kind(self) -> str:
        """The stable name of the refusal, for example `outdated-documents`."""
        return self.problem.kind

    @property
    def errors(self) -> tuple[FieldProblem, ...]:
        """The wrong fields, where the refusal is about fields."""
        return self.problem.errors

    @property
    def retry_after(self) -> float | None:
        """After how many seconds the same request may succeed; None where the service does not say."""
        return self.problem.retry_after


class InvalidRequestError(ProblemError):
    """400, 413 or 422: the request is wrong; `errors` names the fields."""


class AuthenticationError(ProblemError):
    """401: the API key is unknown, expired or revoked."""


class ForbiddenError(ProblemError):
    """403: the API key lacks a scope, or the shop is not in the catalogue."""


class NotFoundError(ProblemError):
    """404: there is no such order, case or endpoint of this shop."""


class ConflictError(ProblemError):
    """409: the request does not fit the present state."""


class GoneError(ProblemError):
    """410: it was possible once, and is not any more."""


class RateLimitedError(ProblemError):
    """429: too many requests; `retry_after` says when the next one is served."""


class ServiceError(ProblemError):
    """5xx: a fault of the service, also after retries."""


class OutdatedDocumentsError(ConflictError):
    """The order names an offer or privacy policy that is not current: show the buyer the current ones and ask again."""


class AlreadyPaidError(ConflictError):
    """The order is paid; there is nothing more to pay."""


class PaymentLapsedError(GoneError):
    """The order was not paid in time: place a new one."""


class IdempotencyKeyReusedError(InvalidRequestError):
    """The idempotency key stands for an order with another body: take a new key for a new order."""


class MissingScopeError(ForbiddenError):
    """The API key lacks the scope that this request needs."""


_BY_KIND: dict[str, type[ProblemError]] = {
    "outdated-documents": OutdatedDocumentsError,
    "already-paid": AlreadyPaidError,
    "payment-lapsed": PaymentLapsedError,
    "idempotency-key-reused": IdempotencyKeyReusedError,
    "missing-scope": MissingScopeError,
}
_BY_STATUS: dict[int, type[ProblemError]] = {
    400: InvalidRequestError,
    401: AuthenticationError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    413: InvalidRequestError,
    422: InvalidRequestError,
    429: RateLimitedError,
}
_FIRST_SERVER_ERROR = 500


def error_of(problem: Problem) -> ProblemError:
    """The error for a problem document: by its kind, else by its status."""
    by_status = ServiceError if problem.status >= _FIRST_SERVER_ERROR else ProblemError
    kind = _BY_KIND.get(problem.kind) or _BY_STATUS.get(problem.status) or by_status
    return kind(problem)


def problem_of(status: int, document: JsonValue, retry_after: float | None) -> Problem:
    """Read a problem document; what is missing or has another type is left out, so that every answer has one."""
    values = dict(document) if isinstance(document, Mapping) else {}
    errors = values.pop("errors", ())
    text = {name: str(values.pop(name)) for name in ("type", "title", "detail") if isinstance(values.get(name), str)}
    values.pop("status", None)
    return Problem(
        status=status,
        errors=tuple(
            FieldProblem(str(error.get("field", "")), str(error.get("message", "")))
            for error in (errors if isinstance(errors, list) else ())
            if isinstance(error, Mapping)
        ),
        retry_after=retry_after,
        extra=values,
        **text,
    )
