"""What a run reports of kills: those that met no other fault, and the orders that were late after one."""

from datetime import UTC, datetime, timedelta

from campaign.journeys import Journey
from campaign.report import Outcome, after_kills_alone, alone, slowest_after_kills, unhurt
from campaign.scene import Record
from campaign.schedule import Fault

START = datetime(2026, 11, 30, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def record(kind: str, began: float, lifted: float, ready: float = 0.0) -> Record:
    kills = int(kind == "kill")
    return Record(Fault(1, kind, "", began, 0, 0), at(began), at(lifted), kills=kills, ready_seconds=[ready])


def outcome(number: int, paid: float, ended: float | None) -> Outcome:
    journey = Journey(number, "bought", "esimka", [], "K")
    return Outcome(journey, at(paid), None if ended is None else at(ended))


ALONE = record("kill", 100, 101, ready=3)


def test_a_kill_is_alone_where_no_other_fault_is_near() -> None:
    assert alone([ALONE]) == [ALONE]
    assert alone([ALONE, record("timeouts", 80, 89)]) == [ALONE]
    assert alone([ALONE, record("timeouts", 80, 91)]) == []
    assert alone([ALONE, record("service stopped", 70, 80, ready=12)]) == [], "it was not ready again before"
    assert alone([ALONE, record("timeouts", 110, 115)]) == []
    assert alone([ALONE, record("timeouts", 112, 115)]) == [ALONE]
    assert alone([record("timeouts", 100, 101)]) == [], "no kill"


def test_the_orders_under_way_during_a_kill_are_counted_from_the_new_start() -> None:
    outcomes = [outcome(1, 99, 105), outcome(2, 90, 99), outcome(3, 102, 103), outcome(4, 100, None)]
    assert after_kills_alone([ALONE], outcomes) == {"kills": 1, "exposed": 2, "p50": 4.0, "p99": 4.0, "max": 4.0}


def test_the_latest_orders_come_first_and_those_within_the_goal_are_left_out() -> None:
    outcomes = [outcome(1, 99, 110), outcome(2, 99, 125), outcome(3, 99, 112), outcome(4, 102, 150)]
    assert [journey.number for journey in slowest_after_kills([ALONE], outcomes, 10)] == [2, 3]
    assert [journey.number for journey in slowest_after_kills([ALONE], outcomes, 1)] == [2]


def test_an_order_is_unhurt_where_no_fault_was_near() -> None:
    outcomes = [outcome(1, 99, 110), outcome(2, 103, 104), outcome(3, 104.5, 106), outcome(4, 90, 99.5)]
    assert unhurt([ALONE], outcomes) == {"p50": 9.5, "p99": 9.5, "max": 9.5}
