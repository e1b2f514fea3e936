"""When a request is sent again: written once, as a generator that neither sends nor sleeps.

`conversation` yields what is to be done next (`Send` or `Wait`) and receives what came of it. The clients perform the
steps, one with threads and one with asyncio.

- A request without an answer, 502, 503 and 504, 429, and every answer with `Retry-After` are temporary.
- A repetition sends the same bytes and the same idempotency key, so it has no second effect.
- `Retry-After` (seconds or a date) is the shortest wait, and such an answer is repeated until the patience ends: a
  service sends it while an order is on its way to it. Other attempts are counted.
- Without `Retry-After` the waits double. All are jittered, so that many shops that were interrupted together do not
  come back together.
"""

import json
import random
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from esim_fulfilment.calls import Answer, Call
from esim_fulfilment.errors import UnexpectedAnswerError, UnreachableError, error_of, problem_of

T = TypeVar("T")
_TEMPORARY = frozenset({429, 502, 503, 504})
#: The request was not carried out: the service says so itself.
_NOT_CARRIED_OUT = frozenset({429, 503})
_SUCCESS = range(200, 300)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, and how long, a request is repeated. All times in seconds."""

    #: For answers without `Retry-After`, and for none. Five attempts with the waits below take about four seconds: the
    #: length of a restart.
    attempts: int = 5
    first_wait: float = 0.25
    longest_wait: float = 8.0
    #: All waits together. An answer that asks for a longer wait is raised at once, with its `retry_after`.
    patience: float = 30.0


@dataclass(frozen=True, slots=True)
class Send:
    """Send the request."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """No answer came. `received`: False where the request surely did not reach the service."""

    reason: str
    received: bool


Outcome = Answer | NoAnswer | None


def conversation(
    call: Call[T],
    policy: RetryPolicy,
    *,
    jitter: Callable[[], float] = random.random,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Generator[Send | Wait, Outcome, T]:
    """The steps of one call. Returns its result; raises FulfilmentError."""
    waited, attempt = 0.0, 0
    while True:
        attempt += 1
        outcome = yield Send()
        if isinstance(outcome, Answer) and outcome.status in _SUCCESS:
            return _result(call, outcome)
        retry_after = _retry_after(outcome.headers, now()) if isinstance(outcome, Answer) else None
        wait = _wait(policy, attempt, retry_after, jitter())
        counted = retry_after is None or wait == 0
        again = _may_repeat(call, outcome, retry_after) and not (counted and attempt >= policy.attempts)
        if not again or waited + wait > policy.patience:
            _raise(call, outcome, retry_after)
        waited += wait
        yield Wait(wait)


def _may_repeat(call: Call[T], outcome: Outcome, retry_after: float | None) -> bool:
    if isinstance(outcome, Answer):
        temporary = outcome.status in _TEMPORARY or retry_after is not None
        return temporary and (call.repeatable or outcome.status in _NOT_CARRIED_OUT)
    return call.repeatable or (outcome is not None and not outcome.received)


def _wait(policy: RetryPolicy, attempt: int, retry_after: float | None, jitter: float) -> float:
    """Between a half and the whole of the growing wait; never shorter than the service asks for."""
    growing: float = min(policy.longest_wait, policy.first_wait * 2.0 ** (attempt - 1))
    return max(retry_after or 0.0, growing * (0.5 + jitter / 2))


def _retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds, from either form of the header (RFC 9110, 10.2.3); None where it is missing or unreadable."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _result(call: Call[T], answer: Answer) -> T:
    try:
        return call.read(answer)
    except ValueError as error:
        # The message of a validation error repeats values of the answer, which may be personal. Its type does not.
        raise UnexpectedAnswerError(
            f"{call.method} {call.path}: {answer.status} with a body that cannot be read ({type(error).__name__})"
        ) from error


def _raise(call: Call[T], outcome: Outcome, retry_after: float | None) -> None:
    if not isinstance(outcome, Answer):
        reason = outcome.reason if outcome is not None else "nothing was sent"
        raise UnreachableError(f"{call.method} {call.path}: {reason}")
    try:
        document = json.loads(outcome.body)
    except (ValueError, RecursionError):
        document = None
    raise error_of(problem_of(outcome.status, document, retry_after))
