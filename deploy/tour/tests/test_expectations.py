import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

from tour.expectations import Outcome, UnmetError, until
from tour.narrator import Narrator
from tour.stage import Stage
from tour.tour import Act, _perform


def test_an_outcome_is_ok_until_something_is_not_as_expected() -> None:
    outcome = Outcome("act")
    outcome.expect(outcome.ok, "nothing is wrong", "payments")
    outcome.expect_nothing([], "payments")
    assert outcome.ok
    assert outcome.logs == []
    outcome.expect(outcome.orders > 0, "the money is back", "payments")
    outcome.expect_nothing(["order 1 has a mail 2 times"], "payments", "notifications")
    assert outcome.unmet == ["expected that the money is back", "order 1 has a mail 2 times"]
    assert outcome.logs == ["payments", "notifications"]


async def test_until_gives_the_first_answer_or_says_what_did_not_come() -> None:
    answers = iter([None, None, "there"])

    async def ask() -> str | None:
        return next(answers, None)

    assert await until(ask, "it comes", every=0) == "there"
    with pytest.raises(UnmetError, match="expected that it comes, but not within 0 s") as unmet:
        await until(ask, "it comes", "ordering", seconds=0, every=0)
    assert unmet.value.logs == ("ordering",)


def stage_without_stack(**parts: object) -> Stage:
    return cast(Stage, SimpleNamespace(stack=SimpleNamespace(parts=parts), narrator=Narrator()))


@pytest.mark.parametrize("grouped", [True, False])
async def test_what_goes_wrong_in_an_act_is_its_outcome(*, grouped: bool) -> None:
    async def fail() -> None:
        raise UnmetError("expected that it rains", "provisioning")

    async def perform(_stage: Stage, outcome: Outcome) -> None:
        outcome.orders = 1
        if not grouped:
            await fail()
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())

    outcome = await _perform(Act("act", "words", perform), stage_without_stack())
    assert (outcome.unmet, outcome.logs, outcome.orders) == (["expected that it rains"], ["provisioning"], 1)


async def test_a_part_that_died_unasked_fails_the_act() -> None:
    async def perform(_stage: Stage, _outcome: Outcome) -> None:
        return

    outcome = await _perform(Act("act", "words", perform), stage_without_stack(kafka=SimpleNamespace(running=False)))
    assert outcome.unmet == ["kafka is not running any more"]


async def test_an_interruption_is_not_an_outcome() -> None:
    async def perform(_stage: Stage, _outcome: Outcome) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await _perform(Act("act", "words", perform), stage_without_stack())
