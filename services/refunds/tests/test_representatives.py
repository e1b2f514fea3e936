"""Who acts for a buyer (PP 6.2): recorded by one person, confirmed by another, and only then acted upon."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import psycopg
import pytest
from services.refunds.tests.test_order_actions import AT, beside, found
from services.refunds.tests.test_pages import pages, shot, sign_in, url

from refunds.representatives import OPEN_DAYS, NewRepresentation, state_of
from shared.contracts import BuyerErasureRequested
from shared.testing.browser import Page, browser
from shared.testing.documents import JsonObject
from shared.testing.stand_in import StandIn, standing_in
from shared.values.identification import Identification

if TYPE_CHECKING:
    from services.refunds.tests.conftest import Life, Refunds, Start

EFFECT: JsonObject = {"request_id": None, "orders": ["10000001", "10000002"], "left": ["10000003"], "effect": "e1"}
IDENTIFIED: JsonObject = {
    "by": "identity_document",
    "reference": "2026/17",
    "representative": True,
    "authority": "power_of_attorney",
    "authority_date": "2026-11-02",
}
PICTURE = b"\x89PNG\r\n\x1a\n" + b"a notary's seal"


@pytest.fixture
async def others() -> AsyncIterator[StandIn]:
    async with standing_in() as stand:
        yield stand


async def with_order(start: "Start", others: StandIn) -> "tuple[Refunds, Life]":
    running = await pages(start, **beside(others))
    order = await running.delivered()
    others.answers = {
        "order-searches": (200, found(order)),
        "timeline": (200, []),
        "hold": (404, {"detail": "never held"}),
        "privacy-requests": (200, EFFECT),
    }
    return running, order


async def recorded(running: "Refunds", order: "Life", who: str = "agent:anna") -> UUID:
    """A representation that waits for a supervisor."""
    representation_id = uuid4()
    new = NewRepresentation("Maria Lee", Identification.model_validate(IDENTIFIED))
    async with running.service.database.transaction() as tx:
        [row] = (await tx.execute("SELECT * FROM order_facts WHERE order_id = :id", id=order.order_id)).all()
        await running.service.app.state.representatives.record(tx, row, representation_id, new, who, None)
    return representation_id


async def confirmed(running: "Refunds", order: "Life") -> str:
    """The path of a representation that serves."""
    representation_id = await recorded(running, order)
    async with running.service.database.transaction() as tx:
        await running.service.app.state.representatives.decide(tx, representation_id, "agent:clara", confirmed=True)
    return f"/agents/representations/{representation_id}"


def requested(others: StandIn, order: "Life") -> list[JsonObject]:
    """What ordering was requested to do, dry runs apart."""
    path = f"POST /orders/{order.order_id}/privacy-requests"
    return [body for what, _, body in others.asked if what == path and "dry_run" not in body]


async def record_on_the_page(running: "Refunds", order: "Life") -> str:
    """Record a representative with evidence as anna; returns the address of the page."""
    async with browser() as page:
        await sign_in(page, running, "anna")
        await page.goto(url(running, f"/agents/orders/{order.order_id}"))
        await page.click("text=Somebody acts for the buyer")
        await page.fill("#r-name", "Maria Lee")
        await page.fill("#r-authority-date", "2026-11-02")
        await page.fill("#r-reference", "no number")
        await page.click("text=Record it")
        await page.wait("text=The evidence is filed under a number")
        assert await page.evaluate("document.querySelector('#r-name').value") == "Maria Lee"
        await page.fill("#r-reference", "2026/17")
        await shot(page, "representative-form")
        await page.click("text=Record it")
        await page.arrive("**/agents/representations/*")
        path = page.driven.url
        assert "It waits for a supervisor who has not recorded it" in await page.text()
        assert await page.driven.locator('[aria-describedby="erase-then"]').count() == 0, "nothing can be done yet"
        await page.driven.set_input_files("#files", {"name": "power.png", "mimeType": "image/png", "buffer": PICTURE})
        await page.click("text=Keep them")
        await page.wait("text=power.png")
    return path


async def test_one_records_a_second_confirms_and_any_agent_acts(start: "Start", others: StandIn) -> None:
    running, order = await with_order(start, others)
    path = await record_on_the_page(running, order)
    async with browser() as page:
        await sign_in(page, running, "clara")
        await page.goto(url(running, "/agents/oversight"))
        await page.click('[aria-labelledby="represented"] a')
        assert page.driven.url == path
        shown = await page.text()
        assert "Maria Lee" in shown
        assert "a power of attorney of 2026-11-02" in shown
        for effect in ("It reaches 2 orders", "10000002", "does not reach 10000003", "cannot be undone"):
            assert effect in await page.text("#erase-then"), effect
        await shot(page, "representative-waits")
        await page.click('button[value="confirm"]')
        await page.wait("text=What can be done upon it")
        assert not await page.scrolls_sideways()
    async with browser() as page:
        await sign_in(page, running, "boris")
        await page.goto(path)
        others.answers["privacy-requests"] = (201, EFFECT | {"request_id": str(uuid4())})
        others.answers["export"] = (200, {"ordering": {"buyer": [{"name": "<b>Ann</b>", "company": None}]}})
        await page.click('button[aria-describedby="export-then"]')
        await page.wait("text=What we hold about the buyer")
        assert "<b>Ann</b>" in await page.text('[aria-labelledby="ordering"]')
        await shot(page, "representative-export")
        await page.goto(path)
        await page.click('button[aria-describedby="erase-then"]')
        await page.arrive("**#done")
        assert "erasure requested boris" in " ".join((await page.text('[aria-labelledby="done"]')).split())
        await shot(page, "representative")
    assert requested(others, order) == [
        {"kind": kind, "identified": IDENTIFIED, "effect": "e1"} for kind in ("export", "erase")
    ]
    trail = await running.rows("SELECT who, what, detail FROM audit WHERE what ~ '^(repr|exp|eras|file)' ORDER BY at")
    assert [(row["who"], row["what"]) for row in trail if row["what"] != "representation_viewed"] == [
        ("agent:anna", "representation_recorded"),
        ("agent:anna", "representation_evidence_added"),
        ("agent:clara", "representation_confirmed"),
        ("agent:boris", "export_requested"),
        ("agent:boris", "erasure_requested"),
    ]
    assert "Maria" not in str(trail)
    stored = await running.rows("SELECT content, name FROM support_mail_files")
    assert PICTURE not in bytes(stored[0]["content"]), "sealed"
    [mail] = await running.rows("SELECT state, order_id, content FROM support_mails")
    assert (mail["state"], mail["order_id"]) == ("filed", None)
    assert b"Maria" not in bytes(mail["content"])


async def test_a_correction_shows_what_it_does_and_names_the_power(start: "Start", others: StandIn) -> None:
    running, order = await with_order(start, others)
    path = await confirmed(running, order)
    would = {"changed": ["phone"], "orders": 2, "contact_at": AT}
    others.answers["contact"] = (422, {"detail": "The contact cannot be changed.", "errors": []})
    async with browser() as page:
        await sign_in(page, running, "boris")
        await page.goto(url(running, path))
        await page.fill("#c-phone", "+995555000222")
        await page.click("text=See what follows")
        await page.wait("text=Nothing was done. The contact cannot be changed.")
        assert await page.evaluate("document.querySelector('#c-phone').value") == "+995555000222"
        others.answers["contact"] = (200, would)
        await page.click("text=See what follows")
        await page.wait("text=The contacts of 2 orders of this mailbox would change")
        assert "acts upon a power of attorney; filed under 2026/17" in await page.text()
        await page.click("role=button[name='Correct the contact']")
        await page.arrive("**#done")
    asked = [body for what, _, body in others.asked if what == f"PUT /orders/{order.order_id}/contact"]
    assert asked[-1] == {"phone": "+995555000222", "identified": IDENTIFIED, "contact_at": AT.replace("Z", "+00:00")}
    assert asked[-2]["dry_run"] is True


async def test_what_ordering_refuses_is_said_and_stands_in_the_trail(start: "Start", others: StandIn) -> None:
    running, order = await with_order(start, others)
    path = await confirmed(running, order)
    async with browser() as page:
        await sign_in(page, running, "boris")
        await page.goto(url(running, path))
        others.answers["privacy-requests"] = (409, {"detail": "It would not do what was shown."})
        await page.click('button[aria-describedby="block-then"]')
        await page.wait("text=Nothing was done. It would not do what was shown.")
        others.answers["privacy-requests"] = (200, EFFECT)
        await page.goto(url(running, path))
        others.answers["privacy-requests"] = None
        await page.click('button[aria-describedby="erase-then"]')
        await page.wait("text=It may be done all the same")
    assert [row["outcome"] for row in await running.rows("SELECT outcome FROM representation_acts ORDER BY at")] == [
        "refused",
        "unknown",
    ]
    refused = await running.rows("SELECT detail FROM audit WHERE what = 'action_refused' ORDER BY at")
    assert [row["detail"]["outcome"] for row in refused] == ["refused", "unknown"]


async def send(page: Page, running: "Refunds", path: str, **fields: str) -> tuple[int, str]:
    """Send a form of a page by hand, with the session's own token. Returns status and body."""
    await page.goto(url(running, "/agents/queue"))
    csrf = await page.evaluate("document.querySelector('[name=csrf]').value")
    answer = await page.driven.request.post(
        url(running, path), form={"csrf": csrf, **fields}, headers={"Origin": running.address}, max_redirects=0
    )
    return answer.status, await answer.text()


async def test_who_may_not(start: "Start", others: StandIn) -> None:
    """Neither who recorded it, nor an agent confirms it; and nobody acts before, after the end, or by a forged form."""
    running, order = await with_order(start, others)
    own = f"/agents/representations/{await recorded(running, order, 'agent:clara')}"
    waiting = f"/agents/representations/{await recorded(running, order)}"
    erase = {"effect": "e1"}
    async with browser() as page:
        await sign_in(page, running, "clara")
        status, said = await send(page, running, f"{own}/decision", decision="confirm")
        assert (status, "You have recorded this representation yourself" in said) == (409, True)
        status, said = await send(page, running, f"{waiting}/acts/erase", **erase)
        assert (status, "A supervisor has to confirm" in said) == (409, True)
        assert (await send(page, running, f"{waiting}/decision", decision="reject"))[0] == 303
        status, said = await send(page, running, f"{waiting}/acts/erase", **erase)
        assert (status, "was rejected" in said) == (409, True)
        assert (await send(page, running, f"{own}/acts/erase", effect="e1", csrf="forged"))[0] == 403
        assert (await send(page, running, f"/agents/representations/{uuid4()}/end"))[0] == 404
    serving = await confirmed(running, order)
    async with browser() as page:
        await sign_in(page, running, "boris")
        assert (await send(page, running, f"{own}/decision", decision="confirm"))[0] == 403, "an agent"
        assert (await send(page, running, f"{serving}/end"))[0] == 303
        status, said = await send(page, running, f"{serving}/acts/erase", **erase)
        assert (status, "has ended" in said) == (409, True)
    async with browser() as page:
        await sign_in(page, running, "victor")
        await page.goto(url(running, own))
        assert "Maria Lee" in await page.text(), "a viewer reads"
        assert (await send(page, running, f"{own}/end"))[0] == 403
    assert requested(others, order) == []
    with pytest.raises(psycopg.errors.CheckViolation):
        async with running.service.database.transaction() as tx:
            await tx.execute(
                "UPDATE representations SET confirmed = true, decided_by = recorded_by, decided_at = now()"
            )


async def test_files_that_are_no_evidence_are_not_kept(start: "Start", others: StandIn) -> None:
    running, order = await with_order(start, others)
    path = f"/agents/representations/{await recorded(running, order)}"
    script: JsonObject = {"name": "power.html", "mimeType": "text/html", "buffer": b"<script>alert(1)</script>"}
    async with browser() as page:
        await sign_in(page, running, "anna")
        await page.goto(url(running, path))
        await page.driven.set_input_files("#files", script)  # type: ignore[arg-type] # playwright's own shape
        await page.click("text=Keep them")
        await page.wait("text=Nothing was kept")
        pictures = [{"name": f"{n}.png", "mimeType": "image/png", "buffer": PICTURE + bytes([n])} for n in range(5)]
        await page.driven.set_input_files("#files", pictures)  # type: ignore[arg-type] # as above
        await page.click("text=Keep them")
        await page.wait("text=4.png")
        await page.driven.set_input_files("#files", pictures[:1])  # type: ignore[arg-type] # as above
        await page.click("text=Keep them")
        await page.wait("text=at most 5 files")
    assert len(await running.rows("SELECT 1 FROM support_mail_files")) == 5


async def test_an_erasure_takes_name_and_evidence_and_leaves_the_proof(start: "Start", others: StandIn) -> None:
    running, order = await with_order(start, others)
    path = await confirmed(running, order)
    [facts] = await running.rows("SELECT buyer_id FROM order_facts")
    wanted = BuyerErasureRequested(
        buyer_id=facts["buyer_id"], storefront="esimka", request_id=uuid4(), requested_at=order.paid_at
    )
    await running.stage.publish(wanted)
    await running.until_rows("SELECT 1 FROM representations WHERE ended_by = 'system'")
    assert not await running.rows("SELECT 1 FROM support_mails")
    [row] = await running.rows("SELECT identification, confirmed FROM representations")
    assert (row["identification"], row["confirmed"]) == (IDENTIFIED, True)
    async with browser() as page:
        await sign_in(page, running, "boris")
        await page.goto(url(running, path))
        assert "deleted" in await page.text('[aria-labelledby="who"]')
        assert "Erase the data" not in await page.text()


async def test_a_representation_serves_for_a_time(start: "Start", others: StandIn) -> None:
    running, order = await with_order(start, others)
    await confirmed(running, order)

    async def state_after(time: timedelta) -> str:
        async with running.service.database.reading() as tx:
            [row] = (await tx.execute("SELECT * FROM representations")).all()
        return state_of(row, row.decided_at + time)

    assert await state_after(timedelta(days=OPEN_DAYS) - timedelta(seconds=1)) == "confirmed"
    assert await state_after(timedelta(days=OPEN_DAYS)) == "over"
