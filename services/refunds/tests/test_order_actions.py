"""What an agent does about an order in other services: each with its effect beforehand, in the agent's name, once."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
from services.refunds.tests.test_pages import pages, shot, sign_in, url

from shared.testing.browser import browser
from shared.testing.documents import JsonObject
from shared.testing.stand_in import StandIn, standing_in

if TYPE_CHECKING:
    from services.refunds.tests.conftest import Life, Start

AT = "2026-11-30T10:00:00Z"
CONTACT = {
    "name": "Ann Lee",
    "email": "ann@example.org",
    "phone": "+995555000111",
    "language": "en",
    "blocked": False,
    "proved": True,
}
HOLD: JsonObject = {
    "held_at": AT,
    "reasons": ["more than 20 orders from one e-mail address within 24 hours"],
    "decision": None,
    "decided_at": None,
    "decided_by": None,
}


def found(life: "Life", *, held: bool = False) -> JsonObject:
    """The order, as ordering's search answers it."""
    order = {
        "order_id": str(life.order_id),
        "order_number": life.order_number,
        "storefront": life.storefront,
        "plan_title": "Turkey 5 GB",
        "price": {"amount": 599000, "currency": "USD"},
        "placed_at": AT,
        "status": "placed" if held else "delivered",
        "held": held,
        "contact": CONTACT,
    }
    return {"orders": [order], "more": False}


@pytest.fixture
async def others() -> AsyncIterator[StandIn]:
    async with standing_in() as stand:
        yield stand


def beside(others: StandIn) -> JsonObject:
    names = ("ordering", "payments", "provisioning", "notifications")
    return {"services": dict.fromkeys(names, others.url), "services_key": "agent-key"}


async def test_a_held_order_is_released_by_one_and_the_second_reads_who_did_it(
    start: "Start", others: StandIn, life: "type[Life]"
) -> None:
    running, order = await pages(start, **beside(others)), life("esimka", "USD")
    refusal = {"detail": "support (boris) has refused this order on 2026-11-30 at 10:01 UTC."}
    others.answers = {
        "order-searches": (200, found(order, held=True)),
        "timeline": (200, []),
        "hold": (200, HOLD),
        "release": (200, {"decision": "released"}),
        "refusal": (409, refusal),
    }
    async with browser() as page:
        await sign_in(page, running, "anna")
        await page.goto(url(running, f"/agents/orders/{order.order_id}"))
        assert HOLD["reasons"][0] in await page.text('[aria-labelledby="held"]')
        assert "buyer gets an e-mail" in await page.text("#release-then")
        assert "can never be paid" in await page.text("#refuse-then")
        await shot(page, "held")
        await page.click('[aria-describedby="release-then"]')
        await page.arrive("**#held")
        [(_, head, _)] = [asked for asked in others.asked if asked[0] == f"POST /orders/{order.order_id}/release"]
        assert "x-on-behalf-of: anna" in head
        await page.click('[aria-describedby="refuse-then"]')
        await page.wait('[role="alert"]')
        assert f"Nothing was done. {refusal['detail']}" in await page.text('[role="alert"]')
        others.answers |= {"refusal": None}
        await page.click('[aria-describedby="refuse-then"]')
        await page.wait("text=It may be done all the same")
        others.answers |= {"hold": (200, {**HOLD, "decision": "refused", "decided_at": AT, "decided_by": "boris"})}
        await page.goto(url(running, f"/agents/orders/{order.order_id}"))
        assert "Refused by boris" in await page.text('[aria-labelledby="held"]')
        assert await page.driven.locator('[aria-describedby="release-then"]').count() == 0
    rows = await running.rows(
        "SELECT what, detail FROM audit WHERE what LIKE '%_requested' OR what = 'action_refused' ORDER BY at"
    )
    assert [(row["what"], row["detail"]) for row in rows] == [
        ("release_requested", {}),
        ("refusal_requested", {}),
        ("action_refused", {"action": "refusal_requested", "outcome": 409}),
        ("refusal_requested", {}),
        ("action_refused", {"action": "refusal_requested", "outcome": "unknown"}),
    ]
    async with browser() as page:
        await sign_in(page, running, "clara")
        await page.goto(url(running, "/agents/oversight"))
        shown = await page.text('[aria-labelledby="happened"]')
        assert "release requested" in shown, "what was done is overseen as what was refused is"


async def test_a_code_is_sent_again_once_for_each_form(start: "Start", others: StandIn) -> None:
    running = await pages(start, **beside(others))
    order = await running.delivered()
    others.answers = {
        "order-searches": (200, found(order)),
        "timeline": (200, []),
        "hold": (404, {"detail": "never held"}),
        str(order.order_id): (
            200,
            {
                "operator": "a",
                "state": "generated",
                "iccid": None,
                "reason": None,
                "deadline": AT,
                "settled_at": AT,
            },
        ),
        "life": (404, {}),
        "mails": (200, {"known": True, "mails": []}),
        "resend": (202, {}),
    }
    async with browser() as page:
        await sign_in(page, running, "anna")
        await page.goto(url(running, f"/agents/orders/{order.order_id}"))
        assert "Held by fraud control" not in await page.text()
        assert "once more to ann@example.org." in await page.text("#resend-then")
        await page.click('[aria-describedby="resend-then"]')
        await page.arrive("**#sent")
        await shot(page, "resend")
        await page.click('[aria-describedby="resend-then"]')
        await page.arrive("**#sent")
        sent = [head for what, head, _ in others.asked if what == f"POST /orders/{order.order_id}/resend"]
        keys = {line for head in sent for line in head.splitlines() if line.startswith("idempotency-key")}
        assert len(keys) == len(sent) == 2
        others.answers |= {"resend": (409, {"detail": "There is no code that works: not generated yet, or revoked."})}
        await page.click('[aria-describedby="resend-then"]')
        await page.wait("text=There is no code that works")
        assert not await page.scrolls_sideways()


async def test_a_call_opens_a_case_after_its_effect_was_shown(start: "Start") -> None:
    running = await pages(start)
    order = await running.delivered()
    async with browser() as page:
        await sign_in(page, running, "anna")
        await page.goto(url(running, f"/agents/orders/{order.order_id}"))
        await page.driven.select_option("#reason", "technical_failure")
        await page.driven.check('[name="given"][value="full_name"]')
        await page.fill("#call-text", "It says:\nno service.")
        await shot(page, "call")
        await page.click("text=See what follows")
        await page.wait("text=A case would be opened")
        would = await page.text('[aria-labelledby="would"]')
        for effect in ("information needed", "asks for:", "payment date", "evidence", "called back at the phone"):
            assert effect in would, would
        await shot(page, "call-follows")
        assert not await running.rows("SELECT 1 FROM cases UNION ALL SELECT 1 FROM notes")
        metrics = (await running.get("/metrics")).text
        assert 'refund_verdicts_total{storefront="esimka"' not in metrics, "nothing was decided"

        body = {"reason": "technical_failure", "channel": "chat"}
        await running.post(f"/orders/{order.order_id}/refund-requests", body, "boris-key")
        await page.click("text=Open the case")
        await page.wait('[role="alert"]')
        changed = await page.text('[role="alert"]')
        assert "Nothing was done" in changed
        assert "boris" in changed
        assert "The open case would be joined" in await page.text()
        await page.click("text=Add it to the case")
        await page.arrive("**/agents/cases/*")
        assert "no service." in await page.text('[aria-labelledby="notes"]')
        assert not await page.scrolls_sideways()
    [entry] = await running.rows("SELECT who, detail FROM audit WHERE what = 'call_written_down'")
    assert (entry["who"], entry["detail"]) == ("agent:anna", {"identified_by": "call_back"})
    assert len(await running.rows("SELECT 1 FROM cases")) == 1


async def test_a_contact_is_corrected_by_who_has_identified_the_buyer(start: "Start", others: StandIn) -> None:
    running = await pages(start, **beside(others))
    order = await running.delivered()
    would = {"changed": ["email"], "orders": 2, "contact_at": AT}
    others.answers = {
        "order-searches": (200, found(order)),
        "timeline": (200, []),
        "hold": (404, {"detail": "never held"}),
        "contact": (200, would),
    }
    async with browser() as page:
        await sign_in(page, running, "anna")
        await page.goto(url(running, f"/agents/orders/{order.order_id}"))
        await page.click("text=Correct the contact")
        await page.fill("#c-email", "ann.lee@example.org")
        await page.fill("#c-reference", "2026/17")
        await shot(page, "contact")
        others.answers["contact"] = (
            422,
            {"detail": "The contact cannot be changed.", "errors": [{"field": "email", "message": "is wrong"}]},
        )
        await page.click('form[action$="/contact/preview"] button')
        await page.wait("text=Nothing was done. The contact cannot be changed. email is wrong")
        assert await page.evaluate("document.querySelector('#c-reference').value") == "2026/17"
        others.answers["contact"] = (200, would)
        await page.click('form[action$="/contact/preview"] button')
        await page.wait("text=The contacts of 2 orders of this mailbox would change")
        assert "ann@example.org → ann.lee@example.org" in await page.text()
        assert "sent to the new address" in await page.text()
        await shot(page, "contact-follows")
        assert not await page.scrolls_sideways()
        others.answers["contact"] = (
            409,
            {"detail": "The contact has changed meanwhile, last by agent support (boris)."},
        )
        await page.click('form[action$="/contact"] button')
        await page.wait("text=last by agent support (boris)")
        others.answers["contact"] = (200, would)
        await page.click('form[action$="/contact/preview"] button')
        await page.click('form[action$="/contact"] button')
        await page.arrive("**#buyer")
    asked = [body for what, head, body in others.asked if what == f"PUT /orders/{order.order_id}/contact"]
    identified = {"by": "identity_document", "reference": "2026/17"}
    assert asked[0] == {"email": "ann.lee@example.org", "identified": identified, "dry_run": True}
    assert asked[-1] == {
        "email": "ann.lee@example.org",
        "identified": identified,
        "contact_at": AT.replace("Z", "+00:00"),
    }
    rows = await running.rows(
        "SELECT what, detail FROM audit WHERE what ~ 'contact' OR what = 'action_refused' ORDER BY at"
    )
    assert [row["what"] for row in rows] == ["contact_change_requested", "action_refused", "contact_change_requested"]
    assert "example" not in str(rows), "no personal data"


async def test_the_company_of_an_order_is_corrected(start: "Start", others: StandIn) -> None:
    """PO 1: it is shown before, as it is and as it shall be."""
    running = await pages(start, **beside(others))
    order = await running.delivered()
    would = {"changed": ["company"], "orders": 1, "contact_at": AT}
    others.answers = {
        "order-searches": (200, found(order)),
        "timeline": (200, []),
        "hold": (404, {"detail": "never held"}),
        "contact": (200, would),
    }
    async with browser() as page:
        await sign_in(page, running, "anna")
        await page.goto(url(running, f"/agents/orders/{order.order_id}"))
        await page.click("text=Correct the contact")
        await page.fill("#c-company", "Example LLC")
        await page.fill("#c-number", "204378869")
        await page.driven.select_option("#c-country", "GE")
        await page.fill("#c-reference", "2026/17")
        await page.click('form[action$="/contact/preview"] button')
        await page.wait("text=none → Example LLC, 204378869 (GE)")
        assert "The company is this order's alone" in await page.text()
        await page.click('form[action$="/contact"] button')
        await page.arrive("**#buyer")
    asked = [body for what, _, body in others.asked if what == f"PUT /orders/{order.order_id}/contact"]
    assert asked[-1]["company"] == {"name": "Example LLC", "number": "204378869", "country": "GE"}
