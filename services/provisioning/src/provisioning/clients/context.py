"""The parts of the service that a client of an operator may use."""

from dataclasses import dataclass

from prometheus_client import Counter

from provisioning.clients.unparsed_fields import UnparsedFields
from shared.clock import Clock
from shared.database import Database
from shared.telemetry.tracing import Tracing


@dataclass(frozen=True, slots=True)
class ClientContext:
    """`calls` is `operator_calls_total{operator,function,outcome}`."""

    tracing: Tracing
    calls: Counter
    clock: Clock
    database: Database
    unparsed_fields: UnparsedFields
