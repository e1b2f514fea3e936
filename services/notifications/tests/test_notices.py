"""Emails to a shop's staff: a webhook endpoint of theirs was disabled, a deadline is near."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from notifications.notices.models import DeadlineNotice, EndpointDisabledNotice
from notifications.notices.rules import render_alert, render_notice
from notifications.storefronts import Storefronts
from shared.contracts import DeadlineNear, WebhookEndpointDisabled
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


def near(**changes: object) -> DeadlineNear:
    fields: JsonObject = {
        "order_id": uuid7(),
        "order_number": "10000017",
        "storefront": "esimka",
        "buyer_id": uuid7(),
        "case_id": uuid7(),
        "kind": "restore_by",
        "due_at": NOON + timedelta(days=1),
        "alerted_at": NOON,
        "page": "https://agents.example/agents/cases/7",
    }
    return DeadlineNear.model_validate(fields | changes)


async def test_a_shop_is_informed_once_each_time_that_an_endpoint_is_disabled(start: "Start") -> None:
    running = await start()
    first = disabled()
    again = first.model_copy(update={"disabled_at": NOON + timedelta(days=9)})
    await running.stage.publish(first, first, again)
    mails = await running.mail(ESIMKA.support, count=2)
    assert len({mail["message_id"] for mail in mails}) == len(mails) == 2
    assert {mail["subject"] for mail in mails} == {"eSIMka: a webhook endpoint was disabled"}
    alerted = near()
    await running.stage.publish(alerted, alerted)
    [mail] = await running.mail("agents@esimka.example")
    assert mail["subject"] == "eSIMka: due 2026-11-22 16:00 (Asia/Tbilisi), order 10000017"


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


def test_an_alert_says_what_is_due_and_where_and_nothing_of_the_buyer() -> None:
    event = near()
    fields = event.model_dump(exclude={"order_id", "buyer_id", "case_id", "claim_id", "alerted_at"})
    notice = DeadlineNotice(notice_id=uuid7(), subject_id=event.case_id, **fields)
    text = render_alert(ESIMKA, notice).text
    for part in ("2026-11-22 16:00", "the restoration", "case", str(event.case_id), "10000017", str(event.page)):
        assert part in " ".join(text.split())
    later = notice.model_copy(update={"kind": "new_kind", "page": None})
    assert "new kind" in render_alert(ESIMKA, later).text
