from typing import Any, cast

import pytest

from shared.testing.browser import NoBrowserError
from tour.acts import buyer
from tour.expectations import Outcome, UnmetError


async def test_without_a_browser_the_act_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise NoBrowserError("Missing: Chromium. Install with: apt install chromium.")

    monkeypatch.setattr(buyer, "chromium", none)
    with pytest.raises(UnmetError, match="Install with: apt install chromium"):
        await buyer.perform(cast("Any", None), Outcome(buyer.NAME))


def test_the_proof_is_told_line_by_line() -> None:
    services = {
        "ordering": {"erased_at": "now", "kept": ["orders: tax law"]},
        "payments": {"erased_at": "now", "kept": []},
    }
    lines = buyer._told(
        {"request_id": "7", "confirmed_at": "then", "confirmed_by": "code by email", "services": services}
    )
    assert lines[2:] == ["ordering: erased now; kept: orders: tax law", "payments: erased now; kept: nothing"]


def test_the_digits_of_a_message_are_not_those_of_an_order() -> None:
    assert buyer._digits("012345 - your code, order 10000001, until 06:41") == "012345"
    with pytest.raises(UnmetError):
        buyer._digits("order 10000001")
