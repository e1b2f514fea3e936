from hypothesis import given
from hypothesis import strategies as st

from provisioning.operators.rules.circuit_breaker import CircuitBreaker


def _breaker(failures: int = 3) -> CircuitBreaker:
    return CircuitBreaker(failures, 1.0, 8.0, probe_seconds=5.0, jitter=lambda: 1.0)


def _fail(breaker: CircuitBreaker, now: float, times: int) -> None:
    for _ in range(times):
        assert breaker.enter(now)
        breaker.failed(now)


def test_it_opens_after_so_many_failures_in_a_row() -> None:
    breaker = _breaker()
    _fail(breaker, 0.0, 2)
    breaker.succeeded()
    _fail(breaker, 0.0, 2)
    assert breaker.state(0.0) == "closed"
    _fail(breaker, 0.0, 1)
    assert breaker.state(0.0) == "open"
    assert not breaker.enter(0.5)
    assert breaker.wait(0.25) == 0.75


def test_one_probe_at_a_time_and_its_answer_closes_it() -> None:
    breaker = _breaker()
    _fail(breaker, 0.0, 3)
    assert breaker.state(1.0) == "half_open"
    assert breaker.enter(1.0)
    assert not breaker.enter(1.0)
    breaker.succeeded()
    assert breaker.state(1.0) == "closed"
    assert breaker.enter(1.0)


def test_pauses_double_up_to_the_longest_and_begin_anew_after_an_answer() -> None:
    breaker = _breaker()
    _fail(breaker, 0.0, 3)
    now, pauses = 0.0, []
    for _ in range(5):
        now += breaker.wait(now)
        _fail(breaker, now, 1)
        pauses.append(breaker.wait(now))
    assert pauses == [2.0, 4.0, 8.0, 8.0, 8.0]
    breaker.succeeded()
    _fail(breaker, now, 3)
    assert breaker.wait(now) == 1.0


def test_a_probe_that_never_reports_does_not_block_calls_for_ever() -> None:
    breaker = _breaker()
    _fail(breaker, 0.0, 3)
    assert breaker.enter(1.0)
    assert not breaker.enter(5.9)
    assert breaker.enter(6.0)
    breaker.dropped()
    assert breaker.enter(6.0)


def test_calls_that_were_under_way_when_it_opened_do_not_prolong_it() -> None:
    breaker = _breaker()
    _fail(breaker, 0.0, 3)
    for _ in range(60):
        breaker.failed(0.9)
    assert breaker.wait(0.9) < 0.11


@given(st.lists(st.tuples(st.sampled_from(["ok", "bad", "cut", "wait"]), st.floats(0, 20)), max_size=60))
def test_it_never_lets_two_probes_in_and_always_lets_one_in_some_day(steps: list[tuple[str, float]]) -> None:
    breaker, now, inside = _breaker(), 0.0, 0
    for what, seconds in steps:
        now += seconds
        was = breaker.state(now)
        entered = breaker.enter(now)
        inside += entered
        if entered and was == "half_open":
            assert not breaker.enter(now)
        if not entered:
            assert 0 < breaker.wait(now) <= 8.0
            continue
        if what == "ok":
            breaker.succeeded()
            assert breaker.state(now) == "closed"
        elif what == "bad":
            breaker.failed(now)
        elif what == "cut":
            breaker.dropped()
    now += breaker.wait(now)
    assert breaker.enter(now)
