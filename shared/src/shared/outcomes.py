"""How a call to a system outside ended, and what each outcome means for the task that made the call.

Clients return an outcome, task handlers return one, and the task worker acts on it (`next_step`):

| outcome | what is certain | what the worker does | attempts |
|---|---|---|---|
| `Done(value)` | the other side did it | records the result, removes the task | - |
| `Refused(code, reason)` | the other side decided against it, for good | records the result, removes the task | - |
| `NotSent(reason)` | nothing happened at the other side | performs the task again after a pause | + 1 |
| `NotDue(retry_after)` | nothing was tried: it is too early | performs the task again after `retry_after` | same |
| `Unknown(reason)` | nothing: it may have happened or not | performs it again as `uncertain` | + 1 |
| `NeedsPerson(reason)` | no further attempt can settle it | parks the task for a person | + 1 |

Only `Unknown` makes the next attempt ask the other side before it repeats the call; a task that is uncertain stays so
until it is done or refused. Exceptions are faults of our own: they are logged and count as `Unknown`.

A client may derive a class of its own that carries more, for example all status codes of an operator.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, Literal, TypeAlias, TypeVar

R_co = TypeVar("R_co", covariant=True)
#: The column `work.state`: `unknown` tasks ask before they repeat, `parked` tasks wait for a person.
State = Literal["due", "unknown", "parked"]


@dataclass(frozen=True)
class Done(Generic[R_co]):
    """The other side did what was requested. `value` is what it answered."""

    value: R_co


@dataclass(frozen=True)
class Refused:
    """The other side decided against it, and would decide so again. `code` is its own code, `reason` a sentence."""

    code: str
    reason: str


@dataclass(frozen=True)
class NotSent:
    """Nothing happened at the other side: it was unreachable, or it answered that it is busy.

    Without `retry_after` the pause grows with each attempt, with jitter.
    """

    reason: str
    retry_after: timedelta | None = None


@dataclass(frozen=True)
class NotDue:
    """Nothing failed and nothing was tried: a timer is not over, or a rate limit or an open circuit breaker waits."""

    retry_after: timedelta
    reason: str = "waiting"


@dataclass(frozen=True)
class Unknown:
    """The call may have reached the other side, and its answer did not reach us."""

    reason: str
    retry_after: timedelta | None = None


@dataclass(frozen=True)
class NeedsPerson:
    """No further attempt can settle it, for example because two answers contradict each other."""

    reason: str


#: Not final: the task is performed again, or waits for a person.
Unsettled: TypeAlias = NotSent | NotDue | Unknown | NeedsPerson
Outcome: TypeAlias = Done[R_co] | Refused | NotSent | NotDue | Unknown | NeedsPerson


@dataclass(frozen=True, slots=True)
class NextStep:
    """What becomes of a task that is not settled. `label` is its outcome in metrics."""

    state: State
    delay: timedelta
    attempts: int
    label: Literal["retry", "later", "unknown", "parked"]


def next_step(outcome: Unsettled, *, attempts: int, uncertain: bool, backoff: timedelta) -> NextStep:
    """Decide when and how the task is performed again; `backoff` is the pause where the outcome names none.

    `attempts` and `uncertain` are the task's before this attempt. An uncertain task stays uncertain: a later attempt
    that did nothing says nothing about the earlier one.
    """
    match outcome:
        case NotSent():
            delay = backoff if outcome.retry_after is None else outcome.retry_after
            if uncertain:
                return NextStep("unknown", delay, attempts + 1, "unknown")
            return NextStep("due", delay, attempts + 1, "retry")
        case NotDue():
            return NextStep("unknown" if uncertain else "due", outcome.retry_after, attempts, "later")
        case Unknown():
            delay = backoff if outcome.retry_after is None else outcome.retry_after
            return NextStep("unknown", delay, attempts + 1, "unknown")
        case NeedsPerson():
            return NextStep("parked", backoff, attempts + 1, "parked")
