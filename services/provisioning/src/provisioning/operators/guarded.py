"""Guards the calls to one operator: bounded concurrency, the agreed rate of calls, and a circuit breaker.

It never makes a caller wait. Where a call may not be made now it returns `NotDue` at once, with the time after which
the caller should try again. So an operator that is slow or unavailable delays only its own tasks.
"""

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge

from provisioning.clients.models import (
    AppliedTopUp,
    CallOutcome,
    Cancellation,
    NotReported,
    OperatorClient,
    OperatorProfile,
    OperatorUnknown,
    ProfileOrder,
    ProfileRef,
    ProfileStatus,
    QueryOutcome,
    Statuses,
    TopUpOrder,
    UsageReport,
)
from provisioning.operators.rate_limit import RateLimit
from provisioning.operators.rules.circuit_breaker import CircuitBreaker
from provisioning.settings import OperatorSettings
from shared.attempts import LeaseLostError
from shared.clock import Clock
from shared.outcomes import Done, NeedsPerson, NotDue, NotSent, Outcome, Refused, Unknown
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
#: Orders and the feed are often two servers: one may be unavailable without the other.
Port = Literal["orders", "feed"]
PORTS: tuple[Port, ...] = ("orders", "feed")
_CODES = {"closed": 0, "half_open": 1, "open": 2}
_BUSY_SECONDS = 0.1
_SPREAD_SECONDS = 1.0
#: `last_outcome` in GET /operators, by the class of the value that a successful call returned.
_SUCCESSES = {OperatorProfile: "Made", Cancellation: "Cancelled", AppliedTopUp: "ToppedUp"}
C = TypeVar("C", bound=Outcome[Any])


class OperatorMetrics:
    """Metrics of all guarded operators."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.breaker = Gauge(
            "operator_breaker",
            "Circuit breaker of an operator: 0 closed, 1 half open, 2 open",
            ["operator", "port"],
            registry=registry,
        )
        self.in_flight = Gauge(
            "operator_calls_in_flight", "Calls to an operator that are under way", ["operator"], registry=registry
        )
        self.held_back = Counter(
            "operator_calls_held_back",
            "Calls to an operator that were not made, by reason",
            ["operator", "reason"],
            registry=registry,
        )

    def show(self, operator: str, health: "Health") -> None:
        """Read these values whenever the metrics are scraped."""
        self.in_flight.labels(operator).set_function(lambda: health.in_flight)
        for port, breaker in health.breakers.items():
            self.breaker.labels(operator, port).set_function(partial(_code, breaker))


def _code(breaker: CircuitBreaker) -> float:
    return _CODES[breaker.state(time.monotonic())]


@dataclass(slots=True)
class LastCall:
    """How the last call of a port ended, in this process."""

    at: datetime | None = None
    outcome: str | None = None
    reason: str | None = None
    statuses: Statuses = ()


@dataclass(slots=True)
class Health:
    """State of one operator in this process."""

    breakers: dict[Port, CircuitBreaker]
    last: dict[Port, LastCall] = field(default_factory=lambda: {port: LastCall() for port in PORTS})
    in_flight: int = 0


class GuardedOperator:
    """An `OperatorClient` that makes a call of another client where a call is allowed now."""

    def __init__(
        self,
        operator: OperatorClient,
        settings: OperatorSettings,
        rate_limit: RateLimit | None,
        metrics: OperatorMetrics,
        clock: Clock,
    ) -> None:
        self.name = operator.name
        self.traits = operator.traits
        self.health = Health({port: _breaker(settings) for port in PORTS})
        self._operator = operator
        self._concurrency = settings.concurrency
        self._concurrency_not_urgent = max(1, settings.concurrency * 3 // 4)
        self._rate_limit = rate_limit
        self._metrics = metrics
        self._clock = clock
        metrics.show(self.name, self.health)

    def open(self, port: Port = "orders") -> bool:
        """Whether the circuit breaker would hold a call back now."""
        return self.health.breakers[port].wait(time.monotonic()) > 0

    async def order(
        self, wanted: ProfileOrder, *, trace: str | None, urgent: bool = True
    ) -> CallOutcome[OperatorProfile]:
        """Order one profile. `urgent` false: no buyer waits for it (stock), so orders of buyers go first."""
        return await self._call("orders", lambda: self._operator.order(wanted, trace=trace), urgent=urgent)

    async def cancel(self, profile: ProfileRef, *, trace: str | None) -> CallOutcome[Cancellation]:
        """Make sure that nobody can use the profile."""
        return await self._call("orders", lambda: self._operator.cancel(profile, trace=trace))

    async def status(self, profile: ProfileRef, *, trace: str | None) -> QueryOutcome[ProfileStatus]:
        """Query the install state. Orders go first where the rate is limited."""
        return await self._call("feed", lambda: self._operator.status(profile, trace=trace), urgent=False)

    async def usage(self, profile: ProfileRef, *, trace: str | None) -> QueryOutcome[UsageReport]:
        """Query the usage. Orders go first where the rate is limited."""
        return await self._call("feed", lambda: self._operator.usage(profile, trace=trace), urgent=False)

    async def top_up(self, wanted: TopUpOrder, *, trace: str | None) -> CallOutcome[AppliedTopUp]:
        """Extend a profile, once per order number."""
        return await self._call("feed", lambda: self._operator.top_up(wanted, trace=trace))

    async def close(self) -> None:
        """Close the connections."""
        await self._operator.close()

    async def _call(self, port: Port, call: Callable[[], Awaitable[C]], *, urgent: bool = True) -> C | NotDue:
        held_back = await self._held_back(port, urgent=urgent)
        if held_back is not None:
            return held_back
        breaker = self.health.breakers[port]
        self.health.in_flight += 1
        try:
            outcome = await call()
        except LeaseLostError:
            breaker.dropped()  # nothing was sent
            raise
        except Exception:
            breaker.failed(time.monotonic())
            raise
        except BaseException:
            breaker.dropped()
            raise
        finally:
            self.health.in_flight -= 1
        self._note(port, breaker, outcome)
        return outcome

    async def _held_back(self, port: Port, *, urgent: bool) -> NotDue | None:
        """Why this call is not made now, if so. The breaker is checked last: a call that it admits must be made."""
        breaker = self.health.breakers[port]
        if (wait := breaker.wait(time.monotonic())) > 0:
            return self._not_due("breaker", "the operator is unavailable, its circuit breaker is open", wait)
        if self.health.in_flight >= (self._concurrency if urgent else self._concurrency_not_urgent):
            return self._not_due("busy", "all connections to the operator are in use", _BUSY_SECONDS)
        if self._rate_limit is not None:
            try:
                wait = await self._rate_limit.take(urgent=urgent)
            except Exception as error:  # noqa: BLE001 - without the shared row the rate is unknown: do not call
                log.warning("rate_unknown", operator=self.name, error=error)
                return self._not_due("rate", "the rate of calls cannot be read", _SPREAD_SECONDS)
            if wait:
                return self._not_due("rate", "the rate of calls agreed with the operator is used up", wait)
        if not breaker.enter(time.monotonic()):
            wait = max(breaker.wait(time.monotonic()), 0.05)
            return self._not_due("breaker", "another call tests whether the operator is available", wait)
        return None

    def _not_due(self, short: str, reason: str, wait: float) -> NotDue:
        self._metrics.held_back.labels(self.name, short).inc()
        spread = random.uniform(0, min(_SPREAD_SECONDS, max(wait, _BUSY_SECONDS)))  # noqa: S311 - jitter
        return NotDue(timedelta(seconds=wait + spread), reason)

    def _note(self, port: Port, breaker: CircuitBreaker, outcome: Outcome[Any]) -> None:
        """Count the outcome for the circuit breaker, and keep it for GET /operators."""
        before = breaker.state(time.monotonic())
        match outcome:
            case NotDue():
                breaker.dropped()  # the client did not call, which proves nothing about the operator
            case OperatorUnknown(responded=True):
                breaker.succeeded()
            case NotSent() | Unknown():
                breaker.failed(time.monotonic())
            case Done() | Refused() | NeedsPerson():
                breaker.succeeded()
        after = breaker.state(time.monotonic())
        if before != after:
            log.warning("operator_breaker", operator=self.name, port=port, state=after)
        last = self.health.last[port]
        last.at = self._clock.now()
        last.outcome = _shown(outcome)
        last.reason = None if isinstance(outcome, Done) else outcome.reason
        last.statuses = getattr(outcome, "statuses", ())


def _shown(outcome: Outcome[Any]) -> str:
    """The outcome as GET /operators names it: names of the first release, which readers know."""
    match outcome:
        case Done(value):
            return _SUCCESSES.get(type(value), type(value).__name__)
        case NotReported():
            return "NotKnown"
        case Refused():
            return "Refused"
        case NotSent() | NotDue():
            return "NotNow"
        case Unknown() | NeedsPerson():
            return "Unknown"


def _breaker(settings: OperatorSettings) -> CircuitBreaker:
    return CircuitBreaker(
        settings.breaker_failures,
        settings.breaker_seconds,
        settings.breaker_longest_seconds,
        probe_seconds=settings.timeout_seconds * 4,
    )
