"""Metrics of payments on `/metrics`."""

from collections.abc import Callable
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge


class PaymentMetrics:
    """Metrics of payments and refunds, in the service's registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.calls = Counter("epay_calls", "Calls to the bank", ["operation", "outcome"], registry=registry)
        self.webhooks = Counter("epay_webhooks", "Webhooks of the bank, by outcome", ["outcome"], registry=registry)
        self.verdicts = Counter(
            "payment_verdicts", "Answers of check-status, by their meaning", ["verdict"], registry=registry
        )
        self.mismatches = Counter(
            "payment_mismatches",
            "Payments at the bank that differ from what we requested, by the differing field",
            ["field"],
            registry=registry,
        )
        self.captures = Counter(
            "payment_captures",
            "Captures: `kept`, or `duplicate` where the order had been paid before",
            ["kind"],
            registry=registry,
        )
        self.refunds = Counter("refund_outcomes", "Refunds, by outcome", ["outcome"], registry=registry)
        self.lapsed = Counter("payment_orders_lapsed", "Orders that nobody paid in time", registry=registry)
        self.differences = Counter(
            "reconciliation_differences",
            "Differences between our ledger and the bank, by kind",
            ["what"],
            registry=registry,
        )
        self.days_reconciled = Counter("days_reconciled", "Days compared with the bank", registry=registry)
        self.imbalance = Gauge(
            "ledger_imbalance",
            "Minor units by which the ledger differs from its orders; anything but 0 is an alarm",
            registry=registry,
        )
        self.hand_payments = Counter(
            "refund_hand_payments", "Payments by hand of refused refunds, by outcome", ["outcome"], registry=registry
        )
        self.refused_open = Gauge(
            "refunds_refused_open", "Refunds that the bank refused and that are not paid yet", registry=registry
        )
        self.refused_oldest = Gauge(
            "refunds_refused_oldest_seconds", "Age of the oldest refused refund that is not paid yet", registry=registry
        )
        self.hand_unconfirmed = Gauge(
            "refund_hand_payments_unconfirmed", "Payments by hand that wait for a second person", registry=registry
        )
        self.due_soon = Gauge("refunds_due_soon", "Refunds not made whose promised date is near", registry=registry)
        self.overdue = Gauge("refunds_overdue", "Refunds not made whose promised date has passed", registry=registry)


class ReceiptMetrics:
    """Metrics of fiscal receipts; registered only where a storefront has a cash register."""

    def __init__(self, registry: CollectorRegistry, now: Callable[[], datetime]) -> None:
        self._now = now
        self.calls = Counter("webkassa_calls", "Calls to Webkassa", ["operation", "outcome"], registry=registry)
        self.outcomes = Counter(
            "receipt_outcomes",
            "Receipts: `issued`, `adopted` (issued by a call whose answer was lost), `no_sale` (a refund of a sale "
            "without a receipt)",
            ["storefront", "outcome"],
            registry=registry,
        )
        self.waiting = Gauge("receipts_waiting", "Receipts not issued yet", ["storefront"], registry=registry)
        self.oldest = Gauge(
            "receipts_oldest_seconds", "Age of the oldest receipt not issued yet", ["storefront"], registry=registry
        )

    def queue(self, storefront: str, waiting: int, oldest: datetime | None) -> None:
        """Show what waits for this storefront's register. The age is computed whenever it is read."""
        self.waiting.labels(storefront).set(waiting)
        age = self.oldest.labels(storefront)
        if oldest is None:
            age.set_function(lambda: 0.0)
        else:
            age.set_function(lambda: max(0.0, (self._now() - oldest).total_seconds()))
