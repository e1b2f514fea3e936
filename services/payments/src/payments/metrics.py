"""Payments' own figures on `/metrics`."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class PaymentMetrics:
    """Registered with the service's registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.calls = Counter("epay_calls", "Calls to the bank", ["operation", "outcome"], registry=registry)
        self.webhooks = Counter("epay_webhooks", "Webhooks by what was made of them", ["outcome"], registry=registry)
        self.verdicts = Counter("payment_verdicts", "check-status answers by meaning", ["verdict"], registry=registry)
        self.mismatches = Counter(
            "payment_mismatches", "Captures that are not what we asked for", ["field"], registry=registry
        )
        self.captures = Counter("payment_captures", "kept, or a duplicate to return", ["kind"], registry=registry)
        self.refunds = Counter("refund_outcomes", "Refunds by outcome", ["outcome"], registry=registry)
        self.lapsed = Counter("payment_orders_lapsed", "Orders that nobody paid in time", registry=registry)
        self.differences = Counter(
            "reconciliation_differences", "Differences from the bank, by what", ["what"], registry=registry
        )
        self.days_reconciled = Counter("days_reconciled", "Days compared with the bank", registry=registry)
        self.imbalance = Gauge(
            "ledger_imbalance",
            "Minor units by which the ledger differs from its orders; 0, or an alarm",
            registry=registry,
        )
        self.hand_payments = Counter(
            "refund_hand_payments", "Payments by hand of refused refunds, by outcome", ["outcome"], registry=registry
        )
        self.refused_open = Gauge(
            "refunds_refused_open", "Refunds that the bank refused and nobody has settled yet", registry=registry
        )
        self.refused_oldest = Gauge(
            "refunds_refused_oldest_seconds", "How long the oldest of them has waited", registry=registry
        )
        self.hand_unconfirmed = Gauge(
            "refund_hand_payments_unconfirmed", "Payments by hand that wait for a second person", registry=registry
        )
        self.due_soon = Gauge("refunds_due_soon", "Refunds not made whose promised date is near", registry=registry)
        self.overdue = Gauge("refunds_overdue", "Refunds not made whose promised date has passed", registry=registry)
