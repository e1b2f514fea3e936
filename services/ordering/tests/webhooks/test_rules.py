"""Decisions about webhooks: three days of retries, pauses, Retry-After, and when an endpoint is disabled."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordering.updates.models import RETRIED_FOR
from ordering.webhooks.models import Attempt, Due, Endpoint
from ordering.webhooks.rules import DISABLED_AFTER, first_of_each_order, health, judge, parse_retry_after, refused_url
from shared.ids import uuid7
from shared.testing.documents import FieldValue, JsonObject

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def due(**changes: FieldValue) -> Due:
    known = Due(
        update_id=uuid7(),
        order_id=uuid7(),
        attempts=0,
        give_up_at=NOON + RETRIED_FOR,
        body="{}",
        trace=None,
    )
    return replace(known, **changes)


def endpoint(**changes: FieldValue) -> Endpoint:
    known = Endpoint(
        endpoint_id=uuid7(),
        storefront="esimka",
        url="https://shop.example/",
        description="",
        types=None,
        created_at=NOON,
        disabled_at=None,
        disabled_reason=None,
        failures=0,
        failing_since=None,
        paused_until=None,
        succeeded_at=None,
    )
    return replace(known, **changes)


def outcome(delivery: Due, now: datetime = NOON, chance: float = 0.5, **given_answer: FieldValue) -> Attempt:
    fields: JsonObject = {"status": None, "failure": None, "retry_after": None, "latency_ms": 5, "text": ""}
    return judge(delivery, now, chance, **fields | given_answer)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 226, 299])
def test_any_2xx_is_done(status: int) -> None:
    assert outcome(due(), status=status).state == "delivered"


@pytest.mark.parametrize("status", [100, 199, 300, 301, 307, 400, 401, 404, 410, 429, 500, 503, 599, None])
def test_everything_else_is_tried_again(status: int | None) -> None:
    attempt = outcome(due(), status=status, failure=None if status else "timeout")
    assert attempt.state == "waiting"
    assert attempt.error
    assert attempt.due_at > NOON


@given(chances=st.lists(st.floats(0, 1), min_size=60, max_size=60))
def test_retries_are_spread_over_three_days_and_then_end(chances: list[float]) -> None:
    delivery, now = due(), NOON
    pauses = []
    for chance in chances:
        attempt = outcome(delivery, now, chance, status=500)
        if attempt.state == "failed":
            break
        pauses.append(attempt.due_at - now)
        delivery, now = due(attempts=delivery.attempts + 1), attempt.due_at
    else:
        pytest.fail("it never ends")
    assert now == NOON + RETRIED_FOR, "the last attempt is made at the very end"
    assert timedelta(seconds=4) <= pauses[0] <= timedelta(seconds=6)
    assert max(pauses) <= timedelta(hours=4.8)
    assert 15 <= len(pauses) <= 40


def test_pauses_differ_so_that_what_failed_together_is_not_tried_again_together() -> None:
    assert len({outcome(due(), chance=chance, status=500).due_at for chance in (0.0, 0.3, 0.6, 1.0)}) == 4


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("Sat, 21 Nov 2026 12:02:00 GMT", 120),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0),
        ("999999999999999999999", 12 * 3600),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 12 * 3600),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("١٢", None),
        (None, None),
    ],
)
def test_retry_after(text: str | None, seconds: int | None) -> None:
    asked = parse_retry_after(text, NOON)
    assert asked == (None if seconds is None else timedelta(seconds=seconds))


@given(st.text())
def test_no_retry_after_raises(text: str) -> None:
    asked = parse_retry_after(text, NOON)
    assert asked is None or timedelta(0) <= asked <= timedelta(hours=12)


def test_retry_after_is_honoured_by_the_delivery_and_by_the_whole_endpoint() -> None:
    attempt = outcome(due(), status=503, retry_after="3600")
    assert attempt.due_at == NOON + timedelta(hours=1)
    state = health(endpoint(), [attempt, outcome(due(), status=200)], NOON, 0.5)
    assert state.paused_until == NOON + timedelta(hours=1)
    about_one_request = outcome(due(), status=404, retry_after="3600")
    assert health(endpoint(), [about_one_request], NOON, 0.5).paused_until is None


def test_one_success_shows_that_an_endpoint_works() -> None:
    failing = endpoint(failures=40, failing_since=NOON - timedelta(days=2), paused_until=NOON)
    state = health(failing, [outcome(due(), status=500), outcome(due(), status=200)], NOON, 0.5)
    assert (state.failures, state.failing_since, state.paused_until, state.disable) == (0, None, None, None)
    assert state.succeeded_at == NOON


def test_an_endpoint_that_fails_is_paused_for_longer_and_longer() -> None:
    failed, now = [outcome(due(), status=500)], NOON
    state, pauses = health(endpoint(), failed, now, 0.5), []
    for failures in range(2, 40):
        now = state.paused_until or now
        state = health(endpoint(failures=state.failures, failing_since=state.failing_since), failed, now, 0.5)
        assert (state.failures, state.failing_since) == (failures, NOON)
        pauses.append(None if state.paused_until is None else state.paused_until - now)
    assert pauses[:3] == [None] * 3, "a body that one receiver cannot read pauses nothing"
    lengths = [pause for pause in pauses if pause]
    assert lengths == sorted(lengths)
    assert (lengths[0], lengths[-1]) == (timedelta(seconds=2), timedelta(minutes=5))


@pytest.mark.parametrize("outage", [1, 4, 60, 600])
@pytest.mark.parametrize("together", [1, 5, 8])
def test_after_an_outage_an_endpoint_hears_again_before_as_much_time_has_passed_once_more(
    outage: int, together: int
) -> None:
    """Eight attempts that fail at the same moment are one sign, not eight: a hiccup cost a busy shop five minutes."""
    now, state = NOON, health(endpoint(), [outcome(due(), status=503)], NOON, 1.0)
    while now < NOON + timedelta(seconds=outage):
        failed = [outcome(due(), now, status=503) for _ in range(together)]
        state = health(endpoint(failures=state.failures, failing_since=state.failing_since), failed, now, 1.0)
        now = state.paused_until or now + timedelta(seconds=0.5)
    assert now <= NOON + timedelta(seconds=2.2 * outage + 3)


def test_an_endpoint_is_disabled_after_three_days_or_by_410() -> None:
    failed = [outcome(due(), status=500)]
    almost = endpoint(failing_since=NOON - DISABLED_AFTER + timedelta(seconds=1), failures=9)
    assert health(almost, failed, NOON, 0.5).disable is None
    assert health(endpoint(failing_since=NOON - DISABLED_AFTER, failures=9), failed, NOON, 0.5).disable == "failing"
    assert health(endpoint(), [outcome(due(), status=410)], NOON, 0.5).disable == "gone"


def test_one_attempt_for_each_order_and_its_oldest_update() -> None:
    first, second, other, none = due(), due(), due(), due(order_id=None)
    second_of_first = due(order_id=first.order_id)
    group = first_of_each_order([second_of_first, first, second, none, other], 3)
    assert [delivery.update_id for delivery in group] == [first.update_id, second.update_id, none.update_id]


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/",
        "https://user:secret@shop.example/",
        "https://shop.example/#part",
        "https://:443/",
        "https://shop.example:99999/",
        "https://shop.example:0/",
        "https://[::1/",
        "ftp://shop.example/",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    assert refused_url(url, plain_allowed=False)


def test_urls_that_are_not() -> None:
    assert refused_url("https://shop.example:8443/hooks?shop=1", plain_allowed=False) is None
    assert refused_url("http://127.0.0.1:9000/", plain_allowed=True) is None
