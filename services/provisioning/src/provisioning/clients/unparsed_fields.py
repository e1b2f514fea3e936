"""Counts fields of operators' messages that were present and could not be parsed (clients/fields.py)."""

from prometheus_client import CollectorRegistry, Counter

from provisioning.clients.fields import Unparsed
from shared.telemetry.logging import get_logger

log = get_logger(__name__)


class UnparsedFields:
    """`operator_fields_not_understood_total{operator,field}`: one counter for all clients and reports of a service."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counter = Counter(
            "operator_fields_not_understood",
            "Fields of operators' messages that could not be parsed and are unknown",
            ["operator", "field"],
            registry=registry,
        )

    def count(self, operator: str, unparsed: Unparsed) -> None:
        """Count the fields of one message. Values are not logged: they may be secrets."""
        for field in sorted(unparsed):
            self._counter.labels(operator, field).inc()
        if unparsed:
            log.warning("fields_not_understood", operator=operator, fields=sorted(unparsed))
