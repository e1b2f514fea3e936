"""How long is waited, and what is never sent twice: the generator alone, without a clock and a socket."""

from datetime import UTC, datetime

import pytest

from esim_fulfilment import NotFoundError, RateLimitedError, RetryPolicy, ServiceError, UnreachableError
from esim_fulfilment.calls import Answer, Call
from esim_fulfilment.retries import NoAnswer, Outcome, Send, Wait, conversation

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
DONE = Answer(200, {}, b"{}")
LOST = NoAnswer("ReadTimeout", received=True)
NOT_SENT = NoAnswer("ConnectError", received=False)


def call(*, repeatable: bool = True) -> Call[str]:
    return Call("ordering", "POST", "/things", lambda _answer: "done", repeatable=repeatable)


def waits(
    outcomes: list[Outcome], *, repeatable: bool = True, jitter: float = 1.0, policy: RetryPolicy | None = None
) -> list[float]:
    """The waits between the attempts until a result. Raises what the conversation raises."""
    talk = conversation(call(repeatable=repeatable), policy or RetryPolicy(), jitter=lambda: jitter, now=lambda: NOW)
    waited = []
    step: Send | Wait = next(talk)
    left = list(outcomes)
    while True:
        if isinstance(step, Wait):
            waited.append(step.seconds)
        try:
            step = talk.send(None if isinstance(step, Wait) else left.pop(0))
        except StopIteration:
            return waited


def answered(status: int, retry_after: str | None = None) -> Answer:
    return Answer(status, {} if retry_after is None else {"retry-after": retry_after}, b"")


def test_waits_double_and_are_jittered() -> None:
    trouble: list[Outcome] = [answered(503)] * 4
    assert waits([*trouble, DONE]) == [0.25, 0.5, 1.0, 2.0]
    assert waits([*trouble, DONE], jitter=0.0) == [0.125, 0.25, 0.5, 1.0]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.25),
        ("Sun, 29 Nov 2026 12:00:09 GMT", 9.0),
        ("Sun, 29 Nov 2026 11:00:00 GMT", 0.25),
        ("soon", 0.25),
        ("-5", 0.25),
        ("1.5", 0.25),
    ],
)
def test_retry_after_is_the_shortest_wait(text: str, seconds: float) -> None:
    assert waits([answered(503, text), DONE]) == [seconds]


def test_a_longer_wait_than_the_patience_is_for_the_caller_to_decide() -> None:
    with pytest.raises(RateLimitedError) as raised:
        waits([answered(429, "3600")])
    assert raised.value.retry_after == 3600


def test_what_is_on_its_way_is_asked_for_until_the_patience_ends() -> None:
    on_its_way: list[Outcome] = [answered(404, "1")] * 7
    assert sum(waits([*on_its_way, DONE])) == pytest.approx(25)
    with pytest.raises(NotFoundError):
        waits([*on_its_way, answered(404, "1")])


def test_answers_that_ask_for_no_wait_are_counted() -> None:
    with pytest.raises(NotFoundError):
        waits([answered(404, "0")] * 5, policy=RetryPolicy(first_wait=0))


def test_all_waits_together_keep_within_the_patience() -> None:
    with pytest.raises(ServiceError):
        waits([answered(503, "16"), answered(503, "16")])


@pytest.mark.parametrize("outcome", [LOST, answered(502), answered(504)])
def test_what_may_have_been_carried_out_is_not_repeated_unless_that_is_harmless(outcome: Outcome) -> None:
    assert len(waits([outcome, DONE])) == 1
    with pytest.raises((UnreachableError, ServiceError)):
        waits([outcome, DONE], repeatable=False)


@pytest.mark.parametrize("outcome", [NOT_SENT, answered(429), answered(503)])
def test_what_was_surely_not_carried_out_is_repeated(outcome: Outcome) -> None:
    assert len(waits([outcome, DONE], repeatable=False)) == 1
