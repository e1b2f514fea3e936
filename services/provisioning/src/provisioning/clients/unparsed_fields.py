"""Counts fields of operators' messages that were there and are not understood (domain/fields.py)."""

from prometheus_client import CollectorRegistry, Counter

from provisioning.clients.fields import Unparsed
from shared.telemetry.logging import get_logger

log = get_logger(__name__)


class UnparsedFields:
    """`operator_fields_not_understood_total{operator,field}`: one for all adapters and reports of a service."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counter = Counter(
            "operator_fields_not_understood",
            "Fields of operators' messages that read as unknown",
            ["operator", "field"],
            registry=registry,
        )

    def count(self, operator: str, unparsed: Unparsed) -> None:
        """Count the fields of one message. No value is repeated: it may be a secret."""
        for field in sorted(unparsed):
            self._counter.labels(operator, field).inc()
        if unparsed:
            log.warning("fields_not_understood", operator=operator, fields=sorted(unparsed))
