"""Placing orders over HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from uuid import UUID

import httpx
import pytest
from structlog.testing import capture_logs

from ordering.app import build
from ordering.settings import Settings
from shared.contracts import BuyerContact, OrderPlaced
from shared.testing.documents import JsonObject
from shared.testing.stage import Stage

if TYPE_CHECKING:
    from services.ordering.tests.conftest import OrderBody, Shop, StartShop

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_an_order_is_accepted_and_published(shop: "Shop", stage: Stage, good_order: "OrderBody") -> None:
    # given: an order as a shop sends it, with the address and the number as the buyer typed them, for a company
    company: JsonObject = {"name": "ТОО «Пример»", "number": "9401 4000 0385", "country": "KZ"}
    body = good_order("qazaq-esim", email="Anna@Example.org", phone="8 701 123 45 67", newsletter=True, company=company)

    # when: the shop places it
    answer = await shop.place(body, storefront="qazaq-esim", traceparent=TRACE)

    # then: the answer has its number, its price, its plan and its trace
    assert answer.status_code == 201, answer.text
    content = answer.json()
    assert content["status"] == "placed"
    assert int(content["order_number"]) >= 10_000_001
    assert content["price"] == {"amount": 499000, "currency": "KZT"}
    assert content["plan"]["id"] == "tr-5gb-30d"
    assert "Idempotent-Replay" not in answer.headers
    assert (await shop.get(content["links"]["self"], "qazaq-esim")).json()["trace_id"] == TRACE[3:35]

    # then: the order is published, and the contact, written uniformly, under the same buyer
    [placed] = await stage.events(OrderPlaced)
    [contact] = await stage.events(BuyerContact)
    assert str(placed.event.order_id) == content["order_id"]
    assert placed.event.order_number == content["order_number"]
    assert placed.trace
    assert placed.trace[3:35] == TRACE[3:35]
    assert placed.event.buyer_id == contact.event.buyer_id
    assert contact.event.model_dump(
        include={"name", "email", "phone", "newsletter", "newsletter_asked", "company"}
    ) == {
        "company": {**company, "number": "940140000385"},
        "name": "Anna Berg",
        "email": "Anna@example.org",
        "phone": "+77011234567",
        "newsletter": False,  # nobody has shown that the mailbox agrees
        "newsletter_asked": True,
    }
    assert "example.org" not in placed.event.model_dump_json()


async def test_the_same_key_and_body_give_the_same_answer(shop: "Shop", stage: Stage, good_order: "OrderBody") -> None:
    # given: an order that was placed
    first = await shop.place(key="k1")

    # when: the same order comes again under its key, spelled otherwise
    spelled_otherwise = json.dumps(dict(reversed(good_order().items())), indent=2).encode()
    again = await shop.place(spelled_otherwise, key="k1")

    # then: the answer is the first one
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotent-Replay"] == "true"

    # then: the key of another shop is another order
    elsewhere = await shop.place(key="k1", storefront="e-sim-onl")
    assert elsewhere.json()["order_id"] != first.json()["order_id"]
    await stage.events(OrderPlaced, count=2)
    assert len(await stage.all_events(OrderPlaced)) == 2


async def test_the_same_key_and_another_body_are_refused(shop: "Shop", good_order: "OrderBody") -> None:
    # given: an order that was placed
    await shop.place(key="k1")

    # when: another order comes under its key
    other = await shop.place(good_order(plan="tr-20gb-30d"), key="k1")

    # then: it is refused, valid or not, and nothing is stored
    assert (other.status_code, other.json()["type"]) == (422, "urn:problem:idempotency-key-reused")
    not_even_valid = await shop.place(good_order(plan="no-such-plan"), key="k1")
    assert not_even_valid.json()["type"] == "urn:problem:idempotency-key-reused"
    assert len(await shop.rows("SELECT 1 FROM orders")) == 1


async def test_a_refused_order_leaves_its_key_free(shop: "Shop", good_order: "OrderBody") -> None:
    # given: an order that was refused
    assert (await shop.place(good_order(email="wrong"), key="k1")).status_code == 422

    # when: it comes corrected, under the same key
    corrected = await shop.place(key="k1")

    # then: the order is accepted under the same key
    assert corrected.status_code == 201
    assert "Idempotent-Replay" not in corrected.headers


async def test_simultaneous_calls_with_one_key_give_one_order(shop: "Shop", stage: Stage) -> None:
    # when: the same order comes many times at once
    answers = await asyncio.gather(*[shop.place(key="k1") for _ in range(20)])

    # then: all get the one order, which is published once
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["order_id"] for answer in answers}) == 1
    assert sum("Idempotent-Replay" not in answer.headers for answer in answers) == 1
    assert len(await shop.rows("SELECT 1 FROM orders")) == 1
    await stage.events(OrderPlaced)
    assert len(await stage.all_events(OrderPlaced)) == 1


async def test_each_order_has_a_contact_of_its_own(shop: "Shop", stage: Stage, good_order: "OrderBody") -> None:
    # given: orders with one mailbox, in two spellings and two shops
    await shop.place(good_order(email="ANNA@example.org"))
    await shop.place(good_order(email="anna@example.org", name="Anna Stein", phone="+995555123456"))
    await shop.place(good_order("e-sim-onl", email="anna@example.org"), storefront="e-sim-onl")

    # then: each has a buyer of its own, with the name and the number that came with it
    placed = await stage.events(OrderPlaced, count=3)
    assert len({one.event.buyer_id for one in placed}) == 3
    rows = await shop.rows("SELECT name, phone, mailbox_key FROM buyers WHERE storefront = 'esimka' ORDER BY name")
    assert [tuple(row) for row in rows] == [
        ("Anna Berg", "+77011234567", "anna@example.org"),
        ("Anna Stein", "+995555123456", "anna@example.org"),
    ]
    contacts = await stage.events(BuyerContact, count=2, where=lambda e: e.storefront == "esimka")
    # Two buyers are two keys, and may be in two partitions: which fact is read first says nothing.
    assert sorted(contact.event.name for contact in contacts) == ["Anna Berg", "Anna Stein"]


@pytest.mark.parametrize(
    ("changes", "status", "kind", "field"),
    [
        ({"plan": "no-such-plan"}, 422, "invalid-order", "plan"),
        ({"plan": "cn-5gb-30d"}, 422, "invalid-order", "plan"),
        ({"phone": "secret"}, 422, "invalid-order", "buyer.phone"),
        ({"device_compatible": False}, 422, "invalid-order", "device_compatible"),
        ({"privacy_version": "secret"}, 409, "outdated-documents", "privacy_version"),
        ({"kind": "top_up", "iccid": "8999999999999999999"}, 422, "unknown-esim", "iccid"),
    ],
)
async def test_a_refused_order_says_which_field_and_repeats_no_value(
    shop: "Shop", good_order: "OrderBody", changes: JsonObject, status: int, kind: str, field: str
) -> None:
    # when: an order with a wrong value comes
    answer = await shop.place(good_order(**changes))
    problem = answer.json()

    # then: the refusal names its field and not its value, and nothing is stored
    assert (answer.status_code, problem["type"], problem["errors"][0]["field"]) == (
        status,
        f"urn:problem:{kind}",
        field,
    )
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text
    assert await shop.rows("SELECT 1 FROM orders") == []


async def test_a_request_that_is_no_order_is_refused(shop: "Shop", good_order: "OrderBody") -> None:
    """One service for all of them: each is answered without touching the database."""
    # given: requests without a key, with a key that cannot be, and with bodies that are no order
    auth = shop.auth()
    cases: list[tuple[dict[str, str], bytes, int, str]] = [
        ({"Authorization": "Bearer wrong", "Idempotency-Key": "k"}, b"{}", 401, "unknown-api-key"),
        ({"Idempotency-Key": "k"}, b"{}", 401, "unknown-api-key"),
        (auth, json.dumps(good_order()).encode(), 400, "idempotency-key-missing"),
        ({**auth, "Idempotency-Key": "x" * 101}, json.dumps(good_order()).encode(), 400, "invalid-idempotency-key"),
        ({**auth, "Idempotency-Key": "k"}, b'{"plan": ', 400, "malformed-json"),
        ({**auth, "Idempotency-Key": "k"}, b"", 400, "malformed-json"),
        ({**auth, "Idempotency-Key": "k"}, b"\xff\xfe", 400, "malformed-json"),
        ({**auth, "Idempotency-Key": "k"}, b"[" * 5000, 400, "malformed-json"),
        ({**auth, "Idempotency-Key": "k"}, b"[1]", 422, "invalid-order"),
        ({**auth, "Idempotency-Key": "k"}, b'{"plan": "' + b"x" * 300_000 + b'"}', 413, "body-too-large"),
    ]

    # then: each is refused by the kind of its fault
    for headers, body, status, kind in cases:
        answer = await shop.http.post("/orders", headers=headers, content=body)
        assert (answer.status_code, answer.json()["type"]) == (status, f"urn:problem:{kind}"), (headers, body[:20])


async def test_an_endless_body_is_refused(shop: "Shop") -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 10_000

    # when: a body without a length never seems to end
    headers = {**shop.auth(), "Idempotency-Key": "k"}
    try:
        answer = await shop.http.post("/orders", headers=headers, content=pieces())
    except httpx.WriteError:
        return  # the server had answered and hung up before everything was sent

    # then: the service refuses it
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:problem:body-too-large")


async def test_the_buyers_session_is_recorded_for_its_time(shop: "Shop") -> None:
    # given: what a browser says of itself
    headers = {
        "X-Forwarded-For": "2001:db8::7, 10.0.0.1",
        "User-Agent": "Browser/1",
        "Referer": "https://shop.example/",
    }

    # when: orders are placed with it, and with what no browser says
    content = (await shop.place(key="k1", **headers)).json()
    await shop.place(key="k2", **{**headers, "X-Forwarded-For": "<script>", "User-Agent": "x" * 5000})

    # then: what can be read is kept for a year, and what cannot is left out or cut
    [one, two] = await shop.rows(
        "SELECT s.*, keep_until - consented_at AS kept FROM session_records s ORDER BY consented_at"
    )
    assert one.order_id == UUID(content["order_id"])
    assert (one.ip, one.user_agent, one.referrer) == ("2001:db8::7", "Browser/1", "https://shop.example/")
    assert one.privacy_version.startswith("PP-")
    assert one.kept.days == 365
    assert two.ip is None
    assert len(two.user_agent) == 500


async def test_a_shop_sees_its_own_orders_only(shop: "Shop") -> None:
    # given: an order
    content = (await shop.place()).json()

    # then: its shop finds it by id and by number, another shop or a stranger does not
    for reference in (content["order_id"], content["order_number"]):
        view = await shop.get(f"/orders/{reference}")
        assert view.json()["order_id"] == content["order_id"]
        assert (await shop.get(f"/orders/{reference}", "e-sim-onl")).status_code == 404
        assert (await shop.get(f"/orders/{reference}/timeline", "e-sim-onl")).status_code == 404
        assert (await shop.http.get(f"/orders/{reference}")).status_code == 401

    # then: what is no order is unknown
    for unknown in ("99999999", "0", "x", "9" * 30, "00000000-0000-7000-8000-000000000000", "%00"):
        answer = await shop.get(f"/orders/{unknown}")
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:problem:unknown-order"), unknown


async def test_operations_people_see_any_order_with_the_link_to_its_trace(shop_of: "StartShop") -> None:
    # given: a deployment whose traces can be opened, and an order with a trace
    template = "https://traces.example/{trace_id}"
    shop = await shop_of(build, Settings, operations_keys={"operator": "their-key"}, trace_url_template=template)
    content = (await shop.place(traceparent=TRACE)).json()

    # when: people of operations look the order up
    key = {"Authorization": "Bearer their-key"}

    # then: they see it with the link, by id and by number
    for reference in (content["order_id"], content["order_number"]):
        view = (await shop.http.get(f"/orders/{reference}", headers=key)).json()
        assert (view["order_id"], view["trace_url"]) == (content["order_id"], f"https://traces.example/{TRACE[3:35]}")
        [line] = (await shop.http.get(f"/orders/{reference}/timeline", headers=key)).json()
        assert line["at"].endswith("Z")

    # then: they find no order that is none, and place none
    assert (await shop.http.get("/orders/99999999", headers=key)).status_code == 404
    assert (await shop.http.post("/orders", headers=key, json={})).status_code == 401


async def test_a_shop_reads_what_it_sells_and_under_which_terms(shop: "Shop") -> None:
    content = (await shop.get("/storefront", "qazaq-esim")).json()
    assert (content["currency"], content["time_zone"]) == ("KZT", "Asia/Almaty")
    assert set(content["documents"]) == {"offer", "privacy", "refund"}
    assert {"amount": 499000, "currency": "KZT"} in [plan["price"] for plan in content["plans"]]
    assert (await shop.http.get("/storefront")).status_code == 401


async def test_the_interface_describes_what_a_buyer_must_have(shop: "Shop") -> None:
    described = (await shop.http.get("/openapi.json")).json()
    body = described["paths"]["/orders"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"]["buyer"]["required"] == ["name", "email", "phone"]


async def test_nothing_personal_is_logged(shop: "Shop", good_order: "OrderBody") -> None:
    # when: an order is accepted, and one is refused
    with capture_logs() as logs:
        await shop.place(good_order(name="Canary Zhanna", email="canary@example.org", phone="+77019998877"))
        await shop.place(good_order(name="Canary Zhanna", email="canary at example.org", phone="+77019998877"))

    # then: no log line has a name, an address or a number
    assert not any(word in str(logs).lower() for word in ("canary", "9998877"))
