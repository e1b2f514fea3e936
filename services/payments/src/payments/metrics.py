"""Payments' own figures on `/metrics`."""

from prometheus_client import CollectorRegistry, Counter


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
