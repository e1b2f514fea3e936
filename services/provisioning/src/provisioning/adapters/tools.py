"""What an adapter may use of the service around it."""

from dataclasses import dataclass

from prometheus_client import Counter

from provisioning.not_understood import NotUnderstood
from shared.clock import Clock
from shared.database import Database
from shared.telemetry.tracing import Tracing


@dataclass(frozen=True, slots=True)
class Tools:
    """`calls` is `operator_calls_total{operator,function,outcome}`."""

    tracing: Tracing
    calls: Counter
    clock: Clock
    database: Database
    not_understood: NotUnderstood
