from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from tour import tour
from tour.expectations import NotShownError, Outcome, UnmetError
from tour.stage import Stage
from tour.tour import Act


class RecordedNarrator:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def not_shown(self, words: str) -> None:
        self.lines.append(f"– {words}")

    def wrong(self, words: str) -> None:
        self.lines.append(f"✗ {words}")


def stage() -> Stage:
    return cast("Stage", SimpleNamespace(narrator=RecordedNarrator(), stack=SimpleNamespace(parts={}), folder=Path()))


async def _lacks_a_tool(_stage: Stage, _outcome: Outcome) -> None:
    raise NotShownError("there is no phone")


async def _goes_wrong(_stage: Stage, _outcome: Outcome) -> None:
    raise UnmetError("expected a mail", "notifications")


async def _goes_wrong_before_the_tool_lacks(_stage: Stage, outcome: Outcome) -> None:
    outcome.failed("expected a mail")
    raise NotShownError("there is no phone")


@pytest.mark.parametrize(
    ("perform", "ok", "not_shown", "lines"),
    [
        (_lacks_a_tool, True, "there is no phone", ["– there is no phone"]),
        (_goes_wrong, False, None, ["✗ expected a mail"]),
        (_goes_wrong_before_the_tool_lacks, False, "there is no phone", ["– there is no phone", "✗ expected a mail"]),
    ],
)
async def test_an_act_that_lacks_a_tool_is_not_shown_and_one_that_goes_wrong_fails(
    perform: Callable[[Stage, Outcome], Awaitable[None]], ok: bool, not_shown: str | None, lines: list[str]
) -> None:
    here = stage()
    outcome = await tour._perform(Act("An act", "", perform), here)
    assert (outcome.ok, outcome.not_shown) == (ok, not_shown)
    assert cast("RecordedNarrator", here.narrator).lines == lines
