"""What operations people do: stuck tasks is tried now, dead letters are redriven, and it is all written down."""

from typing import TYPE_CHECKING

import pytest
from fastapi import FastAPI, Response

from operations.audit import record
from shared.contracts import QrDelivered
from shared.kernel.http import HttpServer
from shared.outcomes import NeedsPerson, Outcome
from shared.testing.browser import browser
from shared.testing.facts import paid
from shared.testing.toy import service as toy

if TYPE_CHECKING:
    from deploy.operations.tests.pages.conftest import Console, Look, Open


TOY = "shared.testing.toy"


async def waiting(console: "Console", count: int) -> list[str]:
    sql = "SELECT id FROM dead_letters WHERE state = 'waiting' ORDER BY id"

    async def there() -> list[str]:
        found = [str(row["id"]) for row in await console.of_toy(sql)]
        return found if len(found) >= count else []

    return await console.stage.eventually(there)


async def test_dead_letters_are_redriven_after_a_dry_run_with_a_reason(
    console: "Open", look: "Look", monkeypatch: pytest.MonkeyPatch
) -> None:
    running = await console()
    facts = [paid(toy.POISON) for _ in range(3)]
    await running.stage.publish(*facts)
    letters = await waiting(running, 3)
    monkeypatch.setattr(toy, "POISON", "nothing")
    async with browser() as page:
        await running.sign_in(page)
        assert "3 dead letters waiting." in await page.text(".notice")
        await look(page, "overview-waiting")
        await page.click("text=3 waiting")
        await page.wait("text=handler failed")
        await look(page, "letters")
        await page.driven.check(f'input[value="{TOY}/{letters[0]}"]')
        await page.click("text=Redrive selected…")
        await page.wait("text=This would redrive 1.")
        await look(page, "preview")
        assert len(await waiting(running, 3)) == 3, "a dry run changes nothing"
        await page.click('role=button[name="Redrive 1"]')
        assert "/dead-letters/preview" in page.url, "without a reason the browser does not send it"
        await page.fill("#words", "the plan is mended: ticket 17")
        await page.click('role=button[name="Redrive 1"]')
        await page.wait("text=1 of 1 redriven")
        await look(page, "entry")
        await running.stage.events(QrDelivered, count=1)
        await page.goto(running.url(f"/dead-letters/{TOY}/{letters[0]}"))
        assert "redriven by operations (olga)" in await page.text()
        await page.goto(running.url("/dead-letters"))
        await page.fill("#limit", "1")
        await page.click("text=Redrive all…")
        await page.wait("text=This would redrive 1; 1 more would need another request.")
        await page.fill("#words", "the rest")
        await page.click('role=button[name="Redrive 1"]')
        await page.wait("text=1 of 2 redriven")
        await page.goto(running.url("/audit"))
        text = await page.text("tbody")
        assert "the plan is mended: ticket 17" in text
        assert "olga" in text
        assert "all of every service, at most 1" in text
        await look(page, "audit")
        assert page.errors == []
        assert all("127.0.0.1" in address for address in page.requests)
    await running.stage.events(QrDelivered, count=2)
    assert [row["decision"] for row in await running.of_toy("SELECT decision FROM dead_letters ORDER BY id")] == [
        "the plan is mended: ticket 17",
        "the rest",
        None,
    ]


async def test_a_letter_is_looked_at_and_discarded(console: "Open", look: "Look") -> None:
    running = await console()
    fact = paid(toy.POISON)
    await running.stage.publish(fact)
    await running.stage.raw("ordering.buyer-contact", b"shop:anna@example.org", b'{"email": "anna@example.org"}')
    letters = await waiting(running, 2)
    async with browser() as page:
        await running.sign_in(page)
        for letter in letters:
            await page.goto(running.url(f"/dead-letters/{TOY}/{letter}"))
            text = await page.text()
            assert "anna" not in text
            if "Sealed: it may hold personal data" in text:
                await look(page, "letter-sealed")
                sealed = letter
                continue
            await look(page, "letter")
            assert str(fact.order_id) in text
            await page.click("text=Discard…")
            await page.wait("text=This would discard 1.")
            await page.fill("#words", "a test order")
            await page.click('role=button[name="Discard 1"]')
            await page.wait("text=1 of 1 discarded")
        states = [row["state"] for row in await running.of_toy("SELECT state FROM dead_letters ORDER BY state")]
        assert states == ["discarded", "waiting"]
        await page.goto(running.url(f"/dead-letters/{TOY}/{sealed}"))
        await page.click("text=Discard…")
        await page.wait("text=This would discard 1.")
        await page.fill("#words", "it says nothing")
        await page.click('role=button[name="Discard 1"]')
        await page.wait("text=1 of 1 discarded")
        await page.goto(running.url(f"/dead-letters/{TOY}/{sealed}"))
        assert "It was sealed, and deleted with the decision." in await page.text()


async def test_parked_work_is_tried_now_from_the_page_of_its_order(console: "Open", look: "Look") -> None:
    running = await console()

    async def refuse(_task: object) -> Outcome[None]:
        return NeedsPerson("the bank wants to speak to somebody")

    running.outside["call"] = refuse
    fact = paid()
    await running.stage.publish(fact)
    await running.stage.eventually(lambda: running.of_toy("SELECT 1 FROM work WHERE state = 'parked'"))
    await running.known(fact)
    async with browser() as page:
        await running.sign_in(page)
        await page.goto(running.url("/work"))
        assert "the bank wants to speak to somebody" in await page.text("tbody")
        await look(page, "work")
        await page.click(f"text={fact.order_id}")
        await page.wait("text=Timeline")
        assert "parked" in await page.text("table")
        await look(page, "order-stuck")
        running.outside.clear()
        await page.driven.check('input[name="chosen"]')
        await page.fill("#words", "the bank was asked")
        await page.click("text=Retry now")
        await page.wait("text=1 of 1 due now")
    await running.stage.events(QrDelivered, where=lambda received: received.order_id == fact.order_id)
    [entry] = await running.rows("SELECT who, what, reason, outcome FROM audit WHERE what = 'retry'")
    assert (entry["who"], entry["reason"]) == ("staff:olga", "the bank was asked")
    assert len(entry["outcome"]["services"][0]["taken"]) == 1


async def test_a_service_that_does_not_answer_is_shown_as_such(console: "Open", look: "Look") -> None:
    running = await console()
    await running.stage.stop(running.toy)
    async with browser() as page:
        await running.sign_in(page)
        text = await page.text()
        assert "does not answer" in text
        assert "1 service not ready" in text
        await look(page, "overview-down")
        await page.goto(running.url("/work"))
        assert f"{TOY} does not answer. Its data are missing below." in await page.text()
    async with running.client() as (client, csrf):
        form = {"csrf": csrf, "chosen": f"{TOY}/01900000-0000-7000-8000-000000000001", "words": "in vain"}
        done = await client.post(running.url("/work/retry"), data=form)
        shown = await client.get(f"{running.address}{done.headers['location']}")
    assert "does not answer" in shown.text


async def test_an_outcome_that_nobody_knows_is_said_to_be_unknown(console: "Open") -> None:
    app = FastAPI()

    @app.post("/operations/work/retry")
    async def broken() -> Response:
        return Response("<html>anna@example.org</html>", 500)

    stand = HttpServer(app, "127.0.0.1", 0)
    await stand.start()
    running = await console(services={"payments": f"http://127.0.0.1:{stand.port}"})
    async with running.client() as (client, csrf):
        form = {"csrf": csrf, "chosen": "payments/01900000-0000-7000-8000-000000000001", "words": "the bank is back"}
        done = await client.post(running.url("/work/retry"), data=form)
        shown = await client.get(f"{running.address}{done.headers['location']}")
        assert "refuses (500)" in shown.text
        assert "It may have been done nevertheless; repeating is safe." in shown.text
        assert "anna" not in shown.text
        async with running.service.database.transaction() as tx:
            entry = await record(tx, "staff:olga", "redrive", "3 of payments", "killed in the middle")
        shown = await client.get(running.url(f"/audit/{entry}"))
        assert "how it ended was not recorded" in shown.text
    await stand.stop()
