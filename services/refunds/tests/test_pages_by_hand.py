"""The agents' pages in a real browser: refunds that are paid by hand, and mails that nobody has proved."""

from email.message import EmailMessage
from typing import TYPE_CHECKING

import httpx
from services.refunds.tests.test_pages import pages, shot, sign_in, url

from shared.contracts import (
    HandPaymentDecided,
    HandPaymentRecorded,
    OrderEvent,
    RefundActionAnswered,
    RefundApproved,
    RefundFailed,
)
from shared.testing.browser import browser

if TYPE_CHECKING:
    from services.refunds.tests.conftest import Start


async def test_a_refused_refund_is_paid_by_hand_by_two_people(start: "Start") -> None:
    running = await pages(start)
    life = running.life("esimka", "USD")
    await running.stage.publish(life.paid(), life.failed())
    [approved] = await running.stage.events(RefundApproved, where=lambda e: e.order_id == life.order_id)
    about = {name: getattr(approved.event, name) for name in OrderEvent.model_fields} | {
        "refund_id": approved.event.refund_id
    }
    now = running.service.clock.now()
    await running.stage.publish(
        RefundFailed(**about, amount=life.money, reason="the bank refused", failed_at=now, attempt=1, bank_code=123)
    )
    await running.until_rows("SELECT 1 FROM refund_outcomes WHERE last_failure IS NOT NULL")
    case = f"/agents/cases/{approved.event.case_id}"
    async with browser(1280, 900) as page:
        await sign_in(page, running, "anna")
        await page.goto(url(running, case))
        await page.wait("text=The bank refused the refund")
        text = await page.text()
        assert "code 123" in text
        assert "5990.00 USD" in text
        await shot(page, "refused")
        await page.fill("#reference", "4111 1111 1111 1111")
        await page.click("text=Record")
        await page.wait(".wrong")
        assert "not of a card" in await page.text(".wrong")
        assert all("status of 4" in error for error in page.errors)  # the browser's own word of that refusal
        page.errors.clear()
        await page.fill("#amount", "5990.00")
        await page.fill("#reference", "PO 2026-114")
        await page.click("text=Record")
        await page.wait("text=reference PO 2026-114")
        [recorded] = await running.stage.events(HandPaymentRecorded)
        payment_id = recorded.event.payment_id
        await running.stage.publish(
            RefundActionAnswered(**about, action_id=payment_id, accepted=True, answered_at=now),
        )
        await running.until_rows("SELECT 1 FROM refund_actions WHERE accepted")
        await page.goto(url(running, case))
        await page.wait("text=A second person has to confirm it: you recorded it.")
        assert page.errors == []
    async with browser(1280, 900) as page:
        await sign_in(page, running, "boris")
        await page.goto(url(running, case))
        await page.click("text=Confirm the payment")
        await page.wait("text=boris has decided")
        await shot(page, "refused-confirmed")
        assert page.errors == []
    [decided] = await running.stage.events(HandPaymentDecided)
    assert (decided.event.payment_id, decided.event.confirmed) == (payment_id, True)


async def test_an_agent_reads_a_mail_that_nobody_has_proved_and_places_it(start: "Start") -> None:
    key = "key-of-the-mail-provider"
    running = await pages(start, support_mail_keys={"esimka": key})
    life = await running.delivered()
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "Ann <ann@example.org>", "Dead <script>alert(1)</script>"
    mail.set_content("It does not work <b>at all</b>.")
    mail.add_attachment(b"\x89PNG\r\n\x1a\n" + bytes(9000), maintype="image", subtype="png", filename="screen.png")
    async with httpx.AsyncClient(trust_env=False) as client:
        headers = {"authorization": f"Bearer {key}"}
        taken = await client.post(url(running, "/support-mails/esimka"), content=mail.as_bytes(), headers=headers)
        assert taken.json() == {"outcome": "waiting"}
        assert (await client.get(url(running, "/agents/mails"))).status_code == 303, "strangers sign in first"
    async with browser(1280, 900) as page:
        await sign_in(page, running, "anna")
        await page.wait("h1")
        await page.click("text=E-mails")
        await page.wait("text=nothing proves who sent it")
        await page.click("text=Dead <script>")
        await page.wait("text=screen.png")
        assert "It does not work <b>at all</b>." in await page.text()
        await shot(page, "mail")
        await page.fill("#number", "1000000001")
        await page.click("text=Place it")
        await page.wait("text=No order of this number is known.")
        await page.fill("#number", life.order_number)
        await page.click("text=Place it")
        await page.wait("text=How the policy reasons")
        text = await page.text()
        assert "It does not work <b>at all</b>." in text
        assert "screen.png" in text
        await page.goto(url(running, "/agents/mails"))
        await page.wait("text=No e-mail waits.")
