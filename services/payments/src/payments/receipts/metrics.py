"""The figures of fiscal receipts on `/metrics`."""

from collections.abc import Callable
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge


class FiscalMetrics:
    """Registered with the service's registry."""

    def __init__(self, registry: CollectorRegistry, now: Callable[[], datetime]) -> None:
        self._now = now
        self.calls = Counter("webkassa_calls", "Calls to Webkassa", ["operation", "outcome"], registry=registry)
        self.outcomes = Counter(
            "receipt_outcomes",
            "issued, adopted (a reply was lost), no_sale (a refund whose sale has no receipt)",
            ["storefront", "outcome"],
            registry=registry,
        )
        self.waiting = Gauge("receipts_waiting", "Receipts not issued yet", ["storefront"], registry=registry)
        self.oldest = Gauge(
            "receipts_oldest_seconds", "Age of the oldest receipt not issued yet", ["storefront"], registry=registry
        )

    def queue(self, storefront: str, waiting: int, oldest: datetime | None) -> None:
        """What waits for this storefront's register, as just read; the age goes on by itself."""
        self.waiting.labels(storefront).set(waiting)
        age = self.oldest.labels(storefront)
        if oldest is None:
            age.set_function(lambda: 0.0)
        else:
            age.set_function(lambda: max(0.0, (self._now() - oldest).total_seconds()))
