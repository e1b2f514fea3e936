"""The overview's decisions: the state of each service, and what needs a person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from operations.invariants.models import InvariantView
from operations.services.models import ServiceView
from shared.kernel.services import NO_ANSWER, Answer
from shared.operations.answers import Summary, WorkCount

#: A task that has been due for so long and that no worker has claimed is late; a healthy service claims it in a second.
_LATE = timedelta(minutes=1)


@dataclass(slots=True, frozen=True)
class ServiceState:
    """A service on the overview. `state`: ready, not ready, not known, does not answer; `why`: the reason."""

    service: str
    state: str
    why: str = ""
    summary: Summary | None = None
    late_since: datetime | None = None
    outbox_seconds: float | None = None

    @property
    def ready(self) -> bool:
        return self.state == "ready"

    @property
    def waiting(self) -> int:
        """Dead letters that wait for a decision."""
        return 0 if self.summary is None else self.summary.dead_letters.waiting

    def rows(self, state: str) -> int:
        """Due tasks in that state."""
        return sum(count.rows for count in self.work if count.state == state)

    @property
    def work(self) -> Sequence[WorkCount]:
        return self.summary.work if self.summary is not None else ()


def service_state(answer: Answer[Summary], polled: ServiceView, now: datetime) -> ServiceState:
    """The state of a service by its own summary, or by its last polled answer where it could not be requested."""
    summary = answer.value
    if summary is None:
        return ServiceState(polled.service, *_without_summary(answer, polled, now))
    problems = summary.consumer.problems
    late = [count.oldest_due_at for count in summary.work if count.state == "due" and now - count.oldest_due_at > _LATE]
    oldest = summary.outbox.oldest
    return ServiceState(
        polled.service,
        "not ready" if problems else "ready",
        summary.consumer.halted or _describe(problems),
        summary,
        min(late, default=None),
        None if oldest is None else max(0.0, (now - oldest).total_seconds()),
    )


def concerns(states: Sequence[ServiceState], broken: Sequence[InvariantView]) -> list[str]:
    """What needs a person, as phrases: `2 dead letters waiting`."""
    counts = (
        (sum(not state.ready for state in states), "service not ready", "services not ready"),
        (len(broken), "invariant broken", "invariants broken"),
        (sum(state.waiting for state in states), "dead letter waiting", "dead letters waiting"),
        (sum(state.rows("parked") for state in states), "task parked", "tasks parked"),
    )
    return [f"{count} {one if count == 1 else many}" for count, one, many in counts if count]


def _without_summary(answer: Answer[Summary], polled: ServiceView, now: datetime) -> tuple[str, str]:
    """State and reason."""
    if answer.requested:
        return ("does not answer", "") if answer.problem == NO_ANSWER else ("not ready", answer.problem or "")
    if polled.asked_at is None or now - polled.asked_at > _LATE:
        return "not known", answer.problem or ""
    return ("ready" if polled.ready else "not ready"), _describe(polled.checks) or polled.problem or ""


def _describe(checks: Mapping[str, str | None]) -> str:
    return "; ".join(f"{part} {problem}" for part, problem in checks.items() if problem not in ("ok", None))
