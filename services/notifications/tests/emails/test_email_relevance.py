"""An e-mail that has become pointless, or whose time is over, is not sent."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from notifications.delivery.rules import BESIDE, COLUMNS, is_over, is_pointless
from notifications.emails.models.content import Rendered
from shared.contracts import Language, OrderEvent
from shared.testing.documents import JsonObject

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_an_email_that_has_become_pointless_is_known(events: dict[str, OrderEvent]) -> None:
    nothing: dict[str, datetime | None] = dict.fromkeys(COLUMNS)
    assert not is_pointless("delay", nothing, events["order"])
    assert is_pointless("delay", {**nothing, "generated_at": NOW}, events["order"])
    assert not is_pointless("receipt", {**nothing, "generated_at": NOW}, events["receipt"])
    assert is_pointless("expiring", {**nothing, "installed_at": NOW}, events["expiring"])
    assert is_pointless("qr", {**nothing, "revoked_at": NOW}, events["order"])
    assert not is_pointless("ending", {**nothing, "plan_ends_at": NOW}, events["ending"])
    assert is_pointless("ending", {**nothing, "plan_ends_at": NOW + timedelta(days=3)}, events["ending"])


def test_a_reminder_of_low_data_is_pointless_once_there_is_more(events: dict[str, OrderEvent]) -> None:
    nothing: JsonObject = dict.fromkeys(COLUMNS)
    event = events["data_low"]
    assert not is_pointless("data_low", nothing, event)
    for column in ("expired_at", "revoked_at", "refunded_at"):
        assert is_pointless("data_low", {**nothing, column: NOW}, event)
    gigabyte = 2**30
    assert is_pointless("data_low", {**nothing, "total_bytes": 20 * gigabyte}, event)
    assert not is_pointless("data_low", {**nothing, "total_bytes": 10 * gigabyte}, event)
    assert not is_pointless("data_low", {**nothing, "total_bytes": 20 * gigabyte, "used_bytes": 16 * gigabyte}, event)


@pytest.mark.parametrize(
    ("kind", "beside", "pointless"),
    [
        ("released", [], False),
        ("released", ["held", "released"], False),
        ("released", ["lapsed", "released"], True),
        ("held", ["held"], False),
        ("held", ["held", "released"], True),
        ("held", ["declined", "held"], True),
        ("lapsed", ["held", "lapsed", "released"], False),
    ],
)
def test_an_email_that_a_later_fact_makes_false_is_pointless(kind: str, beside: list[str], pointless: bool) -> None:
    """Facts of several topics come in any sequence."""
    order: dict[str, object] = {**dict.fromkeys(COLUMNS), BESIDE: beside}
    assert is_pointless(kind, order, None) is pointless


def test_what_is_over_is_not_sent(events: dict[str, OrderEvent]) -> None:
    assert not is_over(events["code"], NOW + timedelta(minutes=14))
    assert is_over(events["code"], NOW + timedelta(minutes=15))
    assert is_over(events["ending"], NOW)
    assert not is_over(events["order"], NOW + timedelta(days=999))


@pytest.mark.parametrize("language", get_args(Language))
def test_only_an_order_that_can_be_paid_has_a_link_to_pay(
    event_email: Callable[..., Rendered], events: dict[str, OrderEvent], language: Language
) -> None:
    """Payments answers 410 for an order that lapsed: its buyer needs a new one."""
    order_id = str(events["lapsed"].order_id)
    shop = {"payment_page": "https://shop.example/pay/{order_id}", "site": "https://shop.example/"}
    released, lapsed = (event_email(kind, language, store=shop) for kind in ("released", "lapsed"))
    assert f"https://shop.example/pay/{order_id}" in released.text
    assert "https://shop.example/pay" not in lapsed.text
    assert 'href="https://shop.example/"' in lapsed.html
    for kind in ("released", "lapsed"):
        assert "https://shop.example/pay" not in event_email(kind, language).text
