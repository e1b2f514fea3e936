"""Emails to a shop's staff: a webhook endpoint of theirs was disabled."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from notifications.notices.models import EndpointDisabledNotice
from notifications.notices.rules import render_notice
from notifications.storefronts import Storefronts
from shared.contracts import WebhookEndpointDisabled
from shared.ids import uuid7
from shared.shops.files import ShopFiles
from shared.testing.documents import JsonObject
from shared.testing.shops import EXAMPLES

if TYPE_CHECKING:
    from services.notifications.tests.conftest import Start

ESIMKA = Storefronts(ShopFiles(EXAMPLES))["esimka"]
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def disabled(**changes: object) -> WebhookEndpointDisabled:
    fields: JsonObject = {
        "endpoint_id": uuid7(),
        "storefront": "esimka",
        "description": "main <server>",
        "reason": "failing",
        "failing_since": NOON - timedelta(days=3),
        "stopped": 7,
        "disabled_at": NOON,
    }
    return WebhookEndpointDisabled.model_validate(fields | changes)


async def test_a_shop_is_informed_once_each_time_that_an_endpoint_is_disabled(start: "Start") -> None:
    running = await start()
    first = disabled()
    again = first.model_copy(update={"disabled_at": NOON + timedelta(days=9)})
    await running.stage.publish(first, first, again)
    mails = await running.mail(ESIMKA.support, count=2)
    assert len({mail["message_id"] for mail in mails}) == len(mails) == 2
    assert {mail["subject"] for mail in mails} == {"eSIMka: a webhook endpoint was disabled"}


def test_the_email_says_what_happened_and_what_to_do() -> None:
    event = disabled()
    notice = EndpointDisabledNotice(notice_id=uuid7(), **event.model_dump())
    rendered = render_notice(ESIMKA, notice)
    for part in (
        "main <server>",
        str(event.endpoint_id),
        "2026-11-18 16:00 (Asia/Tbilisi)",
        "7 deliveries",
        "/webhook-redeliveries",
    ):
        assert part in " ".join(rendered.text.split())
    assert "main &lt;server&gt;" in rendered.html
    gone = render_notice(ESIMKA, notice.model_copy(update={"reason": "gone", "description": ""}))
    assert "410" in gone.text
