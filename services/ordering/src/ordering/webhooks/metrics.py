"""Metrics of webhooks on `/metrics`."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge

from ordering.webhooks import store
from ordering.webhooks.models import Attempt
from shared.database import Tx


class WebhookMetrics:
    """Registers the metrics with the service's registry and updates them. A shop is a label, an endpoint is not."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._attempts = Counter(
            "webhook_attempts",
            "Attempts to deliver a webhook: delivered, failed (its last one), or why it is tried again",
            ["outcome"],
            registry=registry,
        )
        self._disabled = Counter(
            "webhook_endpoints_disabled",
            "Endpoints that this service disabled: gone (410) or failing (for three days)",
            ["reason"],
            registry=registry,
        )
        for reason in ("gone", "failing"):
            self._disabled.labels(reason)
        self._waiting = Gauge(
            "webhook_deliveries_waiting",
            "Deliveries that wait for an attempt, up to 10000 of each endpoint",
            ["storefront"],
            registry=registry,
        )
        self._oldest = Gauge(
            "webhook_deliveries_oldest_seconds",
            "Since when the longest waiting delivery has been due",
            ["storefront"],
            registry=registry,
        )

    def attempted(self, attempts: Sequence[Attempt]) -> None:
        """Count attempts by what became of them."""
        for attempt in attempts:
            outcome = attempt.state if attempt.error is None or attempt.state == "failed" else attempt.error
            self._attempts.labels(outcome).inc()

    def disabled(self, reason: str) -> None:
        """Count an endpoint that was disabled."""
        self._disabled.labels(reason).inc()

    async def count_waiting(self, tx: Tx) -> None:
        """Count what waits, by shop."""
        self._waiting.clear()
        self._oldest.clear()
        for storefront, waiting, age in await store.waiting(tx):
            self._waiting.labels(storefront).set(waiting)
            self._oldest.labels(storefront).set(age.total_seconds())
