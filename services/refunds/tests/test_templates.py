"""Templates of answers: placeholders are checked where they are written, and filled in where they are used."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from services.refunds.tests.test_answers import NOTIFICATIONS
from services.refunds.tests.test_pages import asked, pages, shot, sign_in, url

from refunds.support_answers import TemplateError, check, day, fill, money
from shared.contracts import SupportAnswered
from shared.testing.browser import browser

if TYPE_CHECKING:
    from services.refunds.tests.conftest import Start

TBILISI = ZoneInfo("Asia/Tbilisi")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("Order {order_number}, until {deadline}: {paid}, {refund}.", None),
        ("Dear {name}", "no placeholder {name}"),
        ("{order_number!r} {0}", "no placeholder {0}, {order_number!r}"),
        ("{ order_number }", "no placeholder { order_number }"),
        ("{", "A brace belongs to no placeholder"),
        ("{{order_number}}", "A brace belongs to no placeholder"),
        ("}", "A brace belongs to no placeholder"),
    ],
)
def test_only_known_placeholders_are_stored(text: str, wrong: str | None) -> None:
    if wrong is None:
        check(text)
        return
    with pytest.raises(TemplateError) as refused:
        check(text)
    assert wrong in str(refused.value)


def test_a_template_is_filled_in_or_says_what_is_not_known() -> None:
    assert fill("{order_number}: {paid} {paid}", {"order_number": "17", "paid": "5.00 USD"}) == "17: 5.00 USD 5.00 USD"
    with pytest.raises(TemplateError, match="what goes back to the buyer"):
        fill("{refund}", {"refund": None})


def test_a_deadline_is_a_day_where_the_seller_is_and_24_00_belongs_to_it() -> None:
    midnight = datetime(2026, 12, 7, 20, tzinfo=UTC)
    assert day(midnight, TBILISI, "ka") == "07.12.2026"
    assert day(midnight, TBILISI, "en") == "7 Dec 2026"
    assert day(None, TBILISI, "en") is None
    assert money(None, "USD") is None


async def test_a_supervisor_writes_a_template_and_an_agent_answers_with_it(start: "Start") -> None:
    running = await pages(start, notifications_seal_public_key=NOTIFICATIONS.public_key)
    order = await running.delivered()
    case_id = await asked(running, order)
    async with browser() as page:
        await sign_in(page, running, "clara")
        await page.goto(url(running, "/agents/templates"))
        await page.driven.select_option("#storefront", "esimka")
        await page.driven.select_option("#language", "ru")
        await page.fill("#name", "We look at it")
        await page.fill("#text", "Заказ {order_number} оплачен: {paids}")
        await page.click("text=Add it")
        await page.wait("text=There is no placeholder {paids}")
        await page.fill("#text", "Заказ {order_number}, срок {deadline}, оплачено {paid}.")
        await page.click("text=Add it")
        await page.wait("text=We look at it")
        [row] = await running.rows("SELECT * FROM answer_templates")
        await page.click("text=We look at it")
        async with running.service.database.transaction() as tx:
            sql = "UPDATE answer_templates SET changed_at = changed_at + interval '1 second', changed_by = :who"
            await tx.execute(sql, who="agent:boris")
        await page.fill(f"#t-{row['template_id']}", "A text that took an hour.")
        await page.click('button[value="change"]')
        await page.wait("text=the template was changed by boris since you opened the page")
        assert "A text that took an hour." in await page.evaluate("document.querySelector('details textarea').value")
        await shot(page, "templates")
        assert not await page.scrolls_sideways()
        await page.click("text=Sign out")
        await sign_in(page, running, "anna")
        await page.goto(url(running, "/agents/templates"))
        assert await page.driven.locator("main form").count() == 0, "agents read them"
        await page.goto(url(running, f"/agents/cases/{case_id}"))
        await page.click("text=Fill it in")
        await page.arrive("**?template=*")
        filled = await page.evaluate("document.querySelector('#answer').value")
        assert filled.startswith(f"Заказ {order.order_number}, срок "), filled
        assert filled.endswith("оплачено 5990.00 USD."), filled
        await shot(page, "template-filled")
        await page.click("text=Send the answer")
        [answered] = await running.stage.events(SupportAnswered)
        assert NOTIFICATIONS.open(answered.event.words).decode() == filled
    trail = await running.rows("SELECT who, what FROM audit WHERE what LIKE 'template%' ORDER BY at")
    assert [(row["who"], row["what"]) for row in trail] == [("agent:clara", "template_added")]
