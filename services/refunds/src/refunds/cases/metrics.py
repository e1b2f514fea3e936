"""The metrics of cases: deadlines that come near, deadlines that were missed, and decisions."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge


class CaseMetrics:
    """The metrics that refunds adds to `/metrics`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.due = Gauge(
            "refund_deadlines",
            "Open deadlines by storefront and kind: due within 24 h, within 2 business days, overdue",
            ["storefront", "kind", "window"],
            registry=registry,
        )
        self.missed = Counter(
            "refund_deadlines_missed",
            "Deadlines that were missed, by storefront and kind",
            ["storefront", "kind"],
            registry=registry,
        )
        self.cases = Gauge(
            "refund_cases_open", "Open cases by storefront and state", ["storefront", "state"], registry=registry
        )
        self.verdicts = Counter(
            "refund_verdicts", "Decisions by storefront and verdict", ["storefront", "verdict"], registry=registry
        )
        self.clauses = Counter(
            "refund_decisions_by_clause",
            "Decisions by verdict and by each clause that they cite",
            ["verdict", "clause"],
            registry=registry,
        )

    def show(self, due: Mapping[tuple[str, str, str], int], open_cases: Mapping[tuple[str, str], int]) -> None:
        """Replace the values. Label sets that no longer occur stay, with the value zero."""
        for gauge, counts in ((self.due, due), (self.cases, open_cases)):
            for labels in list(gauge._metrics):  # noqa: SLF001 - there is no public list of label sets
                gauge.labels(*labels).set(0)
            for key, count in counts.items():
                gauge.labels(*key).set(count)
