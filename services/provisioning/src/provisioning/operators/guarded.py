"""Stands before an operator: bounded concurrency, the agreed rate, and a circuit breaker.

It never makes a caller wait: where a call may not be made now it answers `NotNow(asked=False)` at once, with the time
after which it is worth asking again. So whoever is held up, it is nobody else's work.
"""

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Literal, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge

from provisioning.clients.models import (
    Cancelled,
    Made,
    NotKnown,
    NotNow,
    Operator,
    ProfileOrder,
    ProfileRef,
    ProfileStatus,
    Refused,
    Statuses,
    ToppedUp,
    TopUpOrder,
    Unknown,
    UsageReport,
)
from provisioning.operators.rate_limit import RateLimit
from provisioning.operators.rules.circuit_breaker import CircuitBreaker
from provisioning.settings import OperatorSettings
from shared.clock import Clock
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
#: Orders and the feed are often two servers: one may be ill without the other.
Port = Literal["orders", "feed"]
PORTS: tuple[Port, ...] = ("orders", "feed")
_CODES = {"closed": 0, "half_open": 1, "open": 2}
_BUSY_SECONDS = 0.1
_SPREAD_SECONDS = 1.0
T = TypeVar("T")


class OperatorMetrics:
    """What `/metrics` shows of all guards."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.breaker = Gauge(
            "operator_breaker", "0 closed, 1 half open, 2 open", ["operator", "port"], registry=registry
        )
        self.in_flight = Gauge("operator_calls_in_flight", "Calls under way", ["operator"], registry=registry)
        self.held_back = Counter(
            "operator_calls_held_back", "Calls not made, by reason", ["operator", "reason"], registry=registry
        )

    def show(self, operator: str, health: "Health") -> None:
        """Read these whenever somebody looks."""
        self.in_flight.labels(operator).set_function(lambda: health.in_flight)
        for port, breaker in health.breakers.items():
            self.breaker.labels(operator, port).set_function(partial(_code, breaker))


def _code(breaker: CircuitBreaker) -> float:
    return _CODES[breaker.state(time.monotonic())]


@dataclass(slots=True)
class Last:
    """How the last call of a port ended, in this process."""

    at: datetime | None = None
    outcome: str | None = None
    reason: str | None = None
    statuses: Statuses = ()


@dataclass(slots=True)
class Health:
    """One operator as this process sees it."""

    breakers: dict[Port, CircuitBreaker]
    last: dict[Port, Last] = field(default_factory=lambda: {port: Last() for port in PORTS})
    in_flight: int = 0


class GuardedOperator:
    """An operator behind its guard; itself an `Operator`."""

    def __init__(
        self,
        operator: Operator,
        settings: OperatorSettings,
        rate: RateLimit | None,
        metrics: OperatorMetrics,
        clock: Clock,
    ) -> None:
        self.name = operator.name
        self.traits = operator.traits
        self.health = Health({port: _breaker(settings) for port in PORTS})
        self._operator = operator
        self._concurrency = settings.concurrency
        self._unhurried = max(1, settings.concurrency * 3 // 4)
        self._rate_limit = rate
        self._metrics = metrics
        self._clock = clock
        metrics.show(self.name, self.health)

    def open(self, port: Port = "orders") -> bool:
        """Whether a call would not be made now, because the operator does not answer."""
        return self.health.breakers[port].wait(time.monotonic()) > 0

    async def order(
        self, wanted: ProfileOrder, *, trace: str | None, urgent: bool = True
    ) -> Made | Refused | NotNow | Unknown:
        """As the operator's. `urgent` false: nobody waits for it (stock), so it gives way where room is short."""
        return await self._call("orders", lambda: self._operator.order(wanted, trace=trace), urgent=urgent)

    async def cancel(self, profile: ProfileRef, *, trace: str | None) -> Cancelled | Refused | NotNow | Unknown:
        """As the operator's."""
        return await self._call("orders", lambda: self._operator.cancel(profile, trace=trace))

    async def status(self, profile: ProfileRef, *, trace: str | None) -> ProfileStatus | NotKnown | NotNow:
        """As the operator's; gives way to orders where the rate is short."""
        return await self._call("feed", lambda: self._operator.status(profile, trace=trace), urgent=False)

    async def usage(self, profile: ProfileRef, *, trace: str | None) -> UsageReport | NotKnown | NotNow:
        """As the operator's; gives way to orders where the rate is short."""
        return await self._call("feed", lambda: self._operator.usage(profile, trace=trace), urgent=False)

    async def top_up(self, wanted: TopUpOrder, *, trace: str | None) -> ToppedUp | Refused | NotNow | Unknown:
        """As the operator's."""
        return await self._call("feed", lambda: self._operator.top_up(wanted, trace=trace))

    async def close(self) -> None:
        """Hang up."""
        await self._operator.close()

    async def _call(self, port: Port, call: Callable[[], Awaitable[T]], *, urgent: bool = True) -> T | NotNow:
        held = await self._held_back(port, urgent=urgent)
        if held is not None:
            return held
        breaker = self.health.breakers[port]
        self.health.in_flight += 1
        try:
            answer = await call()
        except Exception:
            breaker.failed(time.monotonic())
            raise
        except BaseException:
            breaker.dropped()
            raise
        finally:
            self.health.in_flight -= 1
        self._note(port, breaker, answer)
        return answer

    async def _held_back(self, port: Port, *, urgent: bool) -> NotNow | None:
        """Why this call is not made now, if so. The breaker comes last: whoever enters it does call."""
        breaker = self.health.breakers[port]
        if (wait := breaker.wait(time.monotonic())) > 0:
            return self._not_now("breaker", "the operator does not answer, and is left alone", wait)
        if self.health.in_flight >= (self._concurrency if urgent else self._unhurried):
            return self._not_now("busy", "all connections to the operator are in use", _BUSY_SECONDS)
        if self._rate_limit is not None:
            try:
                wait = await self._rate_limit.take(urgent=urgent)
            except Exception as error:  # noqa: BLE001 - without the shared row nobody knows the rate: do not call
                log.warning("rate_unknown", operator=self.name, error=error)
                return self._not_now("rate", "the rate of calls is not known", _SPREAD_SECONDS)
            if wait:
                return self._not_now("rate", "the rate of calls agreed with the operator is used up", wait)
        if not breaker.enter(time.monotonic()):
            return self._not_now("breaker", "the operator is being probed", max(breaker.wait(time.monotonic()), 0.05))
        return None

    def _not_now(self, short: str, reason: str, wait: float) -> NotNow:
        self._metrics.held_back.labels(self.name, short).inc()
        spread = random.uniform(0, min(_SPREAD_SECONDS, max(wait, _BUSY_SECONDS)))  # noqa: S311 - jitter
        return NotNow(reason, retry_after=wait + spread, asked=False)

    def _note(self, port: Port, breaker: CircuitBreaker, answer: object) -> None:
        before = breaker.state(time.monotonic())
        if isinstance(answer, NotNow) and not answer.asked:
            breaker.dropped()  # the adapter did not call, which says nothing about the operator
        elif isinstance(answer, NotNow) or (isinstance(answer, Unknown) and not answer.answered):
            breaker.failed(time.monotonic())
        else:
            breaker.succeeded()
        after = breaker.state(time.monotonic())
        if before != after:
            log.warning("operator_breaker", operator=self.name, port=port, state=after)
        last = self.health.last[port]
        last.at = self._clock.now()
        last.outcome = type(answer).__name__
        last.reason = getattr(answer, "reason", None)
        last.statuses = getattr(answer, "statuses", ())


def _breaker(settings: OperatorSettings) -> CircuitBreaker:
    return CircuitBreaker(
        settings.breaker_failures,
        settings.breaker_seconds,
        settings.breaker_longest_seconds,
        probe_seconds=settings.timeout_seconds * 4,
    )
