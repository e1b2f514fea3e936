"""An e-mail that has become pointless, or whose time is over, is not sent."""

from datetime import UTC, datetime, timedelta
from typing import Any

from notifications.delivery.rules import COLUMNS, is_over, is_pointless
from shared.contracts import OrderEvent

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
    nothing: dict[str, Any] = dict.fromkeys(COLUMNS)
    event = events["data_low"]
    assert not is_pointless("data_low", nothing, event)
    for column in ("expired_at", "revoked_at", "refunded_at"):
        assert is_pointless("data_low", {**nothing, column: NOW}, event)
    gigabyte = 2**30
    assert is_pointless("data_low", {**nothing, "total_bytes": 20 * gigabyte}, event)
    assert not is_pointless("data_low", {**nothing, "total_bytes": 10 * gigabyte}, event)
    assert not is_pointless("data_low", {**nothing, "total_bytes": 20 * gigabyte, "used_bytes": 16 * gigabyte}, event)


def test_what_is_over_is_not_sent(events: dict[str, OrderEvent]) -> None:
    assert not is_over(events["code"], NOW + timedelta(minutes=14))
    assert is_over(events["code"], NOW + timedelta(minutes=15))
    assert is_over(events["ending"], NOW)
    assert not is_over(events["order"], NOW + timedelta(days=999))
