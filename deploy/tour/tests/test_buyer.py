from types import SimpleNamespace
from typing import NoReturn, cast

import pytest

from shared.testing.browser import NoBrowserError
from tour.acts import buyer
from tour.expectations import UnmetError
from tour.form_page import FormPage
from tour.stage import Stage


class RecordedNarrator:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def not_shown(self, words: str) -> None:
        self.lines.append(words)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NoBrowserError("Missing: Chromium."), "There is no Chromium, so"),
        (RuntimeError("Connection closed\nmore"), "Chromium does not start here (Connection closed), so"),
    ],
)
async def test_without_a_browser_the_forms_are_sent_and_it_says_what_is_not_shown(
    error: Exception, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(_width: int, _height: int) -> NoReturn:
        raise error

    monkeypatch.setattr(buyer, "browser", none)
    narrator = RecordedNarrator()
    async with buyer._tab(cast("Stage", SimpleNamespace(narrator=narrator))) as page:
        assert isinstance(page, FormPage)
    assert len(narrator.lines) == 1
    assert narrator.lines[0].startswith("screenshots")
    assert words in narrator.lines[0]


def test_the_proof_is_printed_line_by_line() -> None:
    services = {
        "ordering": {"erased_at": "now", "kept": ["orders: tax law"]},
        "payments": {"erased_at": "now", "kept": []},
    }
    lines = buyer._printed(
        {"request_id": "7", "confirmed_at": "then", "confirmed_by": "code by email", "services": services}
    )
    assert lines[2:] == ["ordering: erased now; kept: orders: tax law", "payments: erased now; kept: nothing"]


def test_the_digits_of_a_message_are_not_those_of_an_order() -> None:
    assert buyer._digits("012345 - your code, order 10000001, until 06:41") == "012345"
    with pytest.raises(UnmetError):
        buyer._digits("order 10000001")
