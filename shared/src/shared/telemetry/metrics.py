"""The metrics that every service exposes on `/metrics` (Prometheus)."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.process_collector import ProcessCollector

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """One registry per service instance, so that several can live in one test process."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.consumed = Counter("events_consumed", "Events applied", ["topic"], registry=registry)
        self.duplicates = Counter("events_duplicate", "Events already applied before", registry=registry)
        self.dead = Counter("dead_letters", "Records put aside", ["topic", "reason"], registry=registry)
        self.batch = Histogram(
            "consumer_batch_records",
            "Records per transaction",
            registry=registry,
            buckets=(1, 5, 20, 50, 100, 200, 500),
        )
        self.event_age = Histogram(
            "event_age_seconds", "From the fact to its application", registry=registry, buckets=_SECONDS
        )
        self.published = Counter("events_published", "Events acknowledged by Kafka", registry=registry)
        self.relayed = Counter("events_relayed", "Events the relay found left behind", registry=registry)
        self.work = Counter("work_outcomes", "Tasks by outcome", ["kind", "outcome"], registry=registry)
        self.work_seconds = Histogram(
            "work_seconds", "Time of one call to the outside", ["kind"], registry=registry, buckets=_SECONDS
        )
        self.calls = Histogram(
            "external_call_seconds",
            "Calls to others: how long, and what came of them",
            ["peer", "operation", "outcome"],
            registry=registry,
            buckets=_SECONDS,
        )
        self._calls: dict[tuple[str, str, str], Histogram] = {}
        self.waiting = Gauge(
            "work_waiting",
            "Tasks: due, scheduled (not due yet), unknown (outcome of a call unknown), parked (waits for a person)",
            ["kind", "state"],
            registry=registry,
        )
        self.work_age = Gauge(
            "work_oldest_seconds",
            "Since when the longest waiting row of that state has been due; 0: none is due yet",
            ["kind", "state"],
            registry=registry,
        )
        self.retrying = Gauge("work_retrying", "Tasks that were tried before", ["kind"], registry=registry)
        self.outbox = Gauge("outbox_waiting", "Events committed and not yet cleared, up to 10000", registry=registry)
        self.outbox_age = Gauge("outbox_oldest_seconds", "Age of the oldest event in the outbox", registry=registry)
        self.dead_letters = Gauge(
            "dead_letters_waiting", "Dead letters that nobody has decided on", ["topic", "reason"], registry=registry
        )
        self.dead_letters_age = Gauge(
            "dead_letters_oldest_seconds", "Age of the oldest of them", ["topic"], registry=registry
        )
        self.lag = Gauge(
            "consumer_lag_records",
            "Records that are not applied yet, of the partitions this instance reads",
            ["topic", "partition"],
            registry=registry,
        )
        self.stalled = Gauge(
            "consumer_stalled_seconds", "Seconds without any applied record although records wait", registry=registry
        )
        self.offset = Gauge(
            "consumer_offset",
            "The next offset of each partition this instance reads: fetched, applied, committed, end",
            ["topic", "partition", "step"],
            registry=registry,
        )
        self.reading_faults = Counter(
            "consumer_faults",
            "What went wrong between fetch and commit: a record's reason, reading_failed, offsets_missing, "
            "records_gone, fetched_again, offsets_not_committed, stalled",
            ["what"],
            registry=registry,
        )
        self.loops = Gauge(
            "background_task_seconds",
            "Seconds that a background task has spent on its present step; infinite: it has ended",
            ["task"],
            registry=registry,
        )
        self.refused = Counter(
            "shop_records_refused",
            "Records on a shop's own topic that are not valid orders",
            ["shop", "reason"],
            registry=registry,
        )
        self.limits = Counter(
            "limits_reached",
            "Requests refused because so much was accepted already, by limit",
            ["limit"],
            registry=registry,
        )
        self.hung = Counter(
            "work_hung", "Attempts that were ended because they took too long, by kind", ["kind"], registry=registry
        )
        self.clock_ahead = Gauge(
            "system_clock_ahead_seconds",
            "By how much this machine's clock is ahead of the database's, which counts",
            registry=registry,
        )
        self.fenced = Counter(
            "work_fenced", "Results refused, attempts ended: the lease had expired", registry=registry
        )
        self.transactions = Counter("transactions", "Database transactions", ["label"], registry=registry)
        self.ready = Gauge("ready", "1 while this instance is ready", registry=registry)

    def limit_reached(self, limit: str) -> None:
        """A request was refused because it would go beyond a limit."""
        self.limits.labels(limit).inc()

    def called(self, peer: str, operation: str, outcome: str, seconds: float) -> None:
        """Observe a call to a system outside."""
        call = (peer, operation, outcome)
        if call not in self._calls:  # `labels` costs more than the observation
            self._calls[call] = self.calls.labels(*call)
        self._calls[call].observe(seconds)
