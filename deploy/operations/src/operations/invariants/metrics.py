"""Metrics of the invariants, on `/metrics`."""

from prometheus_client import CollectorRegistry, Gauge, Histogram

from operations.invariants.rules import ALL


class InvariantMetrics:
    """Every instance shows the same: the result of the last evaluation, by whichever instance."""

    def __init__(self, registry: CollectorRegistry) -> None:
        meanings = " ".join(f"{one.name}: {one.title}" for one in ALL)
        self._violations = Gauge(
            "invariant_violations",
            f"Open violations, by invariant. {meanings}",
            ["invariant", "severity"],
            registry=registry,
        )
        self._evaluated = Gauge(
            "invariants_evaluated_at", "When the invariants were last evaluated (Unix time)", registry=registry
        )
        self._as_of = Gauge(
            "invariants_as_of", "Every fact published until then has been applied (Unix time)", registry=registry
        )
        self.seconds = Histogram(
            "invariants_evaluation_seconds", "Time of one evaluation, with polling the services", registry=registry
        )
        self._severity = {one.name: one.severity for one in ALL}

    def show(self, violations: dict[str, int], evaluated_at: float, as_of: float | None) -> None:
        """Show the last evaluation; an invariant that was not evaluated yet has no value."""
        for name, count in violations.items():
            if name in self._severity:
                self._violations.labels(name, self._severity[name]).set(count)
        self._evaluated.set(evaluated_at)
        if as_of is not None:
            self._as_of.set(as_of)
