"""What each outcome means for the task that made the call: the table of `shared.outcomes`, row by row."""

from datetime import timedelta

import pytest

from shared.outcomes import NeedsPerson, NotDue, NotSent, Unknown, Unsettled, next_step

BACKOFF, LATER = timedelta(seconds=3), timedelta(minutes=5)
EVERY: tuple[Unsettled, ...] = (NotSent("busy"), NotDue(LATER), Unknown("reply lost"), NeedsPerson("contradiction"))


@pytest.mark.parametrize(
    ("outcome", "state", "attempts", "label"),
    [
        (NotSent("busy"), "due", 3, "retry"),
        (NotDue(LATER), "due", 2, "later"),
        (Unknown("reply lost"), "unknown", 3, "unknown"),
        (NeedsPerson("contradiction"), "parked", 3, "parked"),
    ],
)
def test_only_an_unknown_outcome_makes_the_next_attempt_ask_first(
    outcome: Unsettled, state: str, attempts: int, label: str
) -> None:
    step = next_step(outcome, attempts=2, uncertain=False, backoff=BACKOFF)
    assert (step.state, step.attempts, step.label) == (state, attempts, label)


@pytest.mark.parametrize("outcome", EVERY[:3])
def test_an_uncertain_task_stays_uncertain_until_it_is_settled(outcome: Unsettled) -> None:
    assert next_step(outcome, attempts=2, uncertain=True, backoff=BACKOFF).state == "unknown"


@pytest.mark.parametrize("uncertain", [False, True])
@pytest.mark.parametrize("outcome", [NotSent("busy", LATER), NotDue(LATER), Unknown("reply lost", LATER)])
def test_the_pause_is_the_one_that_the_outcome_names(outcome: Unsettled, uncertain: bool) -> None:
    assert next_step(outcome, attempts=0, uncertain=uncertain, backoff=BACKOFF).delay == LATER


@pytest.mark.parametrize("outcome", [NotSent("busy"), Unknown("reply lost")])
def test_without_a_named_pause_the_growing_one_is_used(outcome: Unsettled) -> None:
    assert next_step(outcome, attempts=0, uncertain=False, backoff=BACKOFF).delay == BACKOFF


def test_no_pause_at_all_is_a_pause_that_was_named() -> None:
    assert next_step(NotSent("busy", timedelta(0)), attempts=0, uncertain=False, backoff=BACKOFF).delay == timedelta(0)
