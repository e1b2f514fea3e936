"""What is aimed at, as ratios within one run: an absolute figure says nothing on machines that differ by three."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A figure and its bound: `at_most`, or at least where that is false."""

    label: str
    bound: float
    at_most: bool = False

    def text(self) -> str:
        """For a table."""
        return f"{'≤' if self.at_most else '≥'} {self.bound:g}"

    def met(self, value: float) -> bool:
        """Whether a median reaches it."""
        return value <= self.bound if self.at_most else value >= self.bound


TARGETS: Mapping[str, Target] = {
    "one_in_100_traced": Target("trivial steps, 1 in 100 traced: orders/s against the floor", 0.75),
    "all_traced": Target("trivial steps, all traced: orders/s against the floor", 0.6),
    "processor_time": Target("trivial steps, 1 in 100 traced: the floor's processor time against ours", 0.75),
    "alone_p50": Target("one order at a time: p50 against the floor's", 1.5, at_most=True),
    "alone_p99": Target("one order at a time: p99 against the floor's", 2, at_most=True),
    "alone_max_ms": Target("one order at a time: slowest, ms", 500, at_most=True),
    "open_loop_p99": Target("open loop at half the median rate: p99 against p50 of one at a time", 10, at_most=True),
    "peer_pgqueuer": Target("trivial steps, 1 in 100 traced: orders/s against PgQueuer", 1.5),
    "peer_dbos": Target("trivial steps, 1 in 100 traced: orders/s against DBOS", 8),
    "peer_celery": Target("trivial steps, 1 in 100 traced: orders/s against Celery", 4),
    "http_and_smtp": Target("HTTP and SMTP: orders/s against the same calls with no engine", 0.7),
    "intake_http": Target("POST /orders, the whole stack running: orders/s against the intake floor", 0.3),
    "intake_http_alone": Target("POST /orders, only ordering running: orders/s against the intake floor", 0.5),
    "intake_kafka": Target("submissions over Kafka: orders/s against the intake floor", 0.3),
    "grown": Target("tables with finished orders: orders/s against an empty start", 0.9),
    "backlog": Target("a backlog: orders/s against a flood", 0.9),
}
