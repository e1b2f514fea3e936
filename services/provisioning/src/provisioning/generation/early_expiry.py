"""Counts operators that end an unused profile earlier than the storefront promises (RC 7)."""

from datetime import datetime

from prometheus_client import CollectorRegistry, Counter

from shared.telemetry.logging import get_logger

log = get_logger(__name__)


class EarlyExpiries:
    """`operator_expires_early_total{operator}`: for each, a promise was shortened or will not be kept."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counter = Counter(
            "operator_expires_early",
            "Unused profiles that their operator ends before the promised day",
            ["operator"],
            registry=registry,
        )

    def count(self, operator: str, ends_at: datetime, promised: datetime) -> None:
        """Count one profile. Both times in UTC."""
        self._counter.labels(operator).inc()
        log.warning("operator_expires_early", operator=operator, ends_at=ends_at, promised=promised)
