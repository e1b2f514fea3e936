"""What is about to be missed, counted before it is missed; and what was missed."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge


class CaseMetrics:
    """Refunds' own metrics on `/metrics`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.due = Gauge(
            "refund_deadlines",
            "Open deadlines by storefront and kind: due within 24 h, within 2 business days, overdue",
            ["storefront", "kind", "window"],
            registry=registry,
        )
        self.missed = Counter(
            "refund_deadlines_missed", "Deadlines that passed unmet", ["storefront", "kind"], registry=registry
        )
        self.cases = Gauge(
            "refund_cases_open", "Open cases by storefront and state", ["storefront", "state"], registry=registry
        )
        self.verdicts = Counter(
            "refund_verdicts", "Decisions by storefront and verdict", ["storefront", "verdict"], registry=registry
        )
        self.clauses = Counter(
            "refund_decisions_by_clause",
            "Decisions by verdict and by each clause they rest on",
            ["verdict", "clause"],
            registry=registry,
        )

    def show(self, due: Mapping[tuple[str, str, str], int], open_cases: Mapping[tuple[str, str], int]) -> None:
        """Replace what is shown. A window that was shown stays, at zero."""
        for gauge, found in ((self.due, due), (self.cases, open_cases)):
            for labels in list(gauge._metrics):  # noqa: SLF001 - there is no public list of label sets
                gauge.labels(*labels).set(0)
            for key, count in found.items():
                gauge.labels(*key).set(count)
