"""Agents write to buyers from the pages: each text is sent once, sealed to notifications."""

from typing import TYPE_CHECKING

from services.refunds.tests.test_pages import asked, pages, shot, sign_in, url

from shared.contracts import ClaimAnswered, InformationNeeded, SupportAnswered
from shared.sealed import Opener, new_private_key
from shared.testing.browser import browser

if TYPE_CHECKING:
    from services.refunds.tests.conftest import Start

NOTIFICATIONS = Opener(new_private_key())


async def test_an_agent_answers_and_asks_for_documents_again(start: "Start") -> None:
    """RF 4.3: the effect is shown before; the case waits for exactly what was ticked."""
    running = await pages(start, notifications_seal_public_key=NOTIFICATIONS.public_key)
    life = await running.delivered()
    case_id = await asked(running, life)
    page_of_case = url(running, f"/agents/cases/{case_id}")
    async with browser() as page:
        await sign_in(page, running, "anna")
        await page.goto(page_of_case)
        await page.fill("#answer", "We look at it.\n\nAnna")
        await page.click("text=Send the answer")
        await page.wait('[aria-labelledby="write"] .words')
        [answered] = await running.stage.events(SupportAnswered)
        assert NOTIFICATIONS.open(answered.event.words).decode() == "We look at it.\n\nAnna"
        assert "await information" in await page.text("#ask-then")
        await page.driven.check('[name="fields"][value="evidence"]')
        await page.fill("#ask-words", "The picture shows nothing.")
        await shot(page, "documents")
        await page.click("text=Ask for it")
        await page.wait("text=information needed")
        [needed] = await running.stage.events(InformationNeeded)
        assert needed.event.missing == ("evidence",)
        assert needed.event.words is not None
        assert NOTIFICATIONS.open(needed.event.words).decode() == "The picture shows nothing."
        assert await page.driven.locator('[name="fields"][value="evidence"]').count() == 0
        ids = await page.evaluate("[...document.querySelectorAll('[id]')].map(element => element.id)")
        assert len(ids) == len(set(ids)), "a label belongs to one field"
        assert not await page.scrolls_sideways()
    sql = "SELECT who, what, detail FROM audit WHERE what IN ('answered', 'documents_asked') ORDER BY at"
    assert [(row["who"], row["what"], row["detail"]) for row in await running.rows(sql)] == [
        ("agent:anna", "answered", {}),
        ("agent:anna", "documents_asked", {"fields": ["evidence"]}),
    ]


async def test_a_claim_is_answered_once_and_the_second_agent_keeps_the_text(start: "Start") -> None:
    running = await pages(start, notifications_seal_public_key=NOTIFICATIONS.public_key)
    life = await running.delivered()
    claims = []
    for reference in ("2026/17", "2026/18"):
        body = {"order": life.order_number, "reference": reference}
        claims.append((await running.post("/claims", body, "esimka-key")).json()["claim_id"])
    async with browser() as page:
        await sign_in(page, running, "anna")
        await page.goto(url(running, "/agents/claims"))
        await page.click("text=2026/17")
        await page.fill("#answer", "You are right.")
        await shot(page, "claim")
        await page.click("text=Send the answer")
        await page.wait("text=by anna")
        [answered] = await running.stage.events(SupportAnswered)
        assert str(answered.event.claim_id) == claims[0]
        [said] = await running.stage.events(ClaimAnswered)
        assert (said.event.claim_id, said.event.answer_id) == (answered.event.claim_id, answered.event.answer_id)
        assert NOTIFICATIONS.open(answered.event.words).decode() == "You are right."

        await page.goto(url(running, f"/agents/claims/{claims[1]}"))
        await page.fill("#answer", "A long answer that took an hour.")
        await running.post(f"/claims/{claims[1]}/answer", key="boris-key")
        await page.click("text=Send the answer")
        await page.wait("text=Your text was not sent.")
        assert "A long answer that took an hour." in await page.text()
    assert len(await running.stage.all_events(SupportAnswered)) == 1
    assert not await running.rows("SELECT 1 FROM support_answers WHERE claim_id = :id", id=claims[1])


async def test_unread_messages_come_first_and_a_case_is_taken_by_one(start: "Start") -> None:
    running = await pages(start)
    older, newer = await running.delivered(), await running.delivered()
    await asked(running, older)
    body = {"reason": "changed_mind", "circumstances": "I do not travel any more."}
    opened = await running.post(f"/orders/{newer.order_id}/refund-requests", body, "esimka-key")
    case_id = opened.json()["case_id"]
    async with browser() as page:
        await sign_in(page, running, "anna")
        text = await page.text("tbody")
        assert text.index(newer.order_number) < text.index(older.order_number), "what nobody has read comes first"
        assert "1 new" in text
        await page.goto(url(running, f"/agents/cases/{case_id}"))
        async with running.service.database.transaction() as tx:
            sql = "INSERT INTO case_handling (case_id, assignee, assigned_at) VALUES (:case, :who, :now)"
            await tx.execute(sql, case=case_id, who="agent:boris", now=tx.now)
        await page.click("text=Take it")
        await page.wait("text=Somebody else has taken the case meanwhile")
        await page.click("text=Take it over")
        await page.wait("text=Give it back")
        await page.click("text=I have read them")
        await page.wait("text=messages read")
        assert "1 new" not in await page.text()
        await page.goto(url(running, "/agents/queue?show=mine"))
        assert "anna works on it" in await page.text("tbody")
        await shot(page, "queue-mine")
    trail = await running.rows("SELECT what, detail FROM audit WHERE what IN ('assigned', 'messages_read') ORDER BY at")
    assert [(row["what"], row["detail"]) for row in trail] == [
        ("assigned", {"to": "agent:anna"}),
        ("messages_read", {}),
    ]
