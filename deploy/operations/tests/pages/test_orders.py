"""Orders are found by what a person has in hand; nothing personal is shown, kept or logged."""

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from fastapi import FastAPI

from shared.contracts import BuyerContact, OrderPaid, ProfileGenerated, QrDelivered
from shared.kernel.http import HttpServer
from shared.sealed import Sealed
from shared.testing.browser import browser
from shared.testing.facts import PLAN, paid

if TYPE_CHECKING:
    from deploy.operations.tests.pages.conftest import Console, Look, Open


EMAIL = "anna.secret@example.org"


async def delivered(
    running: "Console", number: str, buyer: UUID | None = None, iccid: str = "8999702000000000001"
) -> OrderPaid:
    """Events of an order's whole way."""
    fact = paid()
    fact = fact.model_copy(update={"order_number": number, "buyer_id": buyer or fact.buyer_id})
    about = {
        "order_id": fact.order_id,
        "order_number": number,
        "storefront": fact.storefront,
        "buyer_id": fact.buyer_id,
    }
    at = fact.paid_at
    generated = ProfileGenerated(
        **about,
        plan=PLAN,
        iccid=iccid,
        activation_code=Sealed(recipient="notifications", box="AAAA"),
        operator="sandbox",
        paid_at=at,
        generated_at=at + timedelta(milliseconds=700),
        valid_until=at + timedelta(days=30),
    )
    done = QrDelivered(**about, channel="email", paid_at=at, delivered_at=at + timedelta(milliseconds=900))
    await running.stage.publish(fact, generated, done)
    return fact


async def test_an_order_is_found_by_number_id_iccid_and_email(
    console: "Open", look: "Look", caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    running = await console(services={})
    await running.stage.stop(running.toy)
    one = await delivered(running, "10000001")
    two = await delivered(running, "10000002", buyer=one.buyer_id, iccid="8999702000000000002")
    contact = BuyerContact(
        buyer_id=one.buyer_id,
        storefront="esimka",
        name="Anna Secret",
        email=EMAIL,
        phone="+995555000111",
        language="en",
        newsletter=False,
        updated_at=one.paid_at,
    )
    await running.stage.publish(contact)
    sql = "SELECT 1 FROM orders WHERE num_nonnulls(paid_at, generated_at, delivered_at) = 3"

    async def known() -> bool:
        return len(await running.rows(sql)) == 2 and bool(await running.rows("SELECT 1 FROM buyers"))

    await running.stage.eventually(known)
    with caplog.at_level("DEBUG"):
        async with browser() as page:
            await running.sign_in(page)
            for wanted in ("10000001", str(one.order_id), " 8999702000000000001 ", "8999 7020 0000 0000 001"):
                await page.fill('[name="wanted"]', wanted)
                await page.driven.keyboard.press("Enter")
                await page.arrive(f"**/orders/{one.order_id}")
                await page.goto(running.url("/work"))
            await page.fill('[name="wanted"]', EMAIL.upper())
            await page.driven.keyboard.press("Enter")
            await page.wait("text=Orders of that e-mail address")
            text = await page.text("tbody")
            assert one.order_number in text
            assert two.order_number in text
            assert "secret" not in (await page.html()).lower()
            await look(page, "found")
            await page.click("text=10000001")
            await page.wait("text=Timeline")
            text = await page.text()
            for expected in ("payments.order-paid", "notifications.qr-delivered", "15.00 USD", "900 ms", "delivered"):
                assert expected in text, expected
            await look(page, "order")
            await page.goto(running.url())
            await look(page, "overview")
            counts = await page.text(".counts")
            assert "900 ms" in counts
            for wanted, shown in (("what?", "neither an order number"), ("nobody@example.org", "No such order")):
                await page.fill('[name="wanted"]', wanted)
                await page.driven.keyboard.press("Enter")
                await page.wait(f"text={shown}")
            await look(page, "found-nothing")
            assert not any("secret" in address.lower() for address in page.requests)
    entries = await running.rows("SELECT what, outcome FROM audit WHERE what = 'searched_by_email' ORDER BY at")
    assert [entry["outcome"] for entry in entries] == [{"orders": 2}, {"orders": 0}]
    printed = capsys.readouterr()
    for output in (caplog.text, printed.out, printed.err, str(await running.rows("SELECT * FROM audit"))):
        assert "secret" not in output.lower()
    tables = await running.rows("SELECT b::text AS row FROM buyers b UNION ALL SELECT f::text FROM facts f")
    assert not any("secret" in row["row"].lower() for row in tables)


async def test_steps_of_the_trace_stand_in_the_timeline_with_links(console: "Open", look: "Look") -> None:
    trace, at = "ab" * 16, 1_700_000_000_000_000
    steps = [
        {
            "traceId": trace,
            "id": f"{number:016x}",
            "name": name,
            "timestamp": at + number,
            "duration": 1500 * number,
            "localEndpoint": {"serviceName": "payments"},
            "tags": {"error": "true"} if number == 2 else {},
        }
        for number, name in ((1, "epay charge"), (2, "epay status"))
    ]
    app = FastAPI()
    app.get(f"/traces/{trace}")(lambda: steps)
    store = HttpServer(app, "127.0.0.1", 0)
    await store.start()
    running = await console(
        services={},
        trace_api=f"http://127.0.0.1:{store.port}/traces/{{trace_id}}",
        trace_url_template="http://traces.example/{trace_id}?at={span_id}",
    )
    await running.stage.stop(running.toy)
    fact = paid()
    await running.stage.publish(fact, trace=f"00-{trace}-{'cd' * 8}-01")
    await running.known(fact)
    async with browser() as page:
        await running.sign_in(page)
        await page.goto(running.url(f"/orders/{fact.order_id}"))
        assert "payments · epay charge took 2 ms" in await page.text(".timeline")
        assert "failed" in await page.text(".timeline .error")
        links = await page.evaluate("[...document.querySelectorAll('.two a')].map(a => a.href)")
        assert f"http://traces.example/{trace}?at={'cd' * 8}" in links
        assert f"http://traces.example/{trace}?at={1:016x}" in links
        await look(page, "order-spans")
    await store.stop()


async def test_a_broken_invariant_names_its_orders(console: "Open", look: "Look") -> None:
    running = await console(invariant_seconds={"paid_without_outcome": 0.1})
    fact = paid()
    await running.stage.publish(fact)
    await running.known(fact)
    await running.until_rows("SELECT 1 FROM violations")
    async with browser() as page:
        await running.sign_in(page)
        assert "invariant broken" in await page.text(".notice")
        await look(page, "overview-broken")
        await page.click("text=Every paid order has a profile")
        await page.wait("text=Broken now: 1")
        await look(page, "invariant")
        await page.click(f"text={fact.order_number}")
        await page.wait("text=It breaks an invariant: paid without outcome")
        await look(page, "order-broken")
        await page.goto(running.url("/invariants"))
        await page.click("summary")
        await look(page, "invariants")
