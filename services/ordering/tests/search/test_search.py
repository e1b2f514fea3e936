"""Agents find the orders of all shops by whatever a buyer can name."""

from typing import TYPE_CHECKING

import pytest

from ordering.app import build
from ordering.search.models import Wanted
from ordering.settings import Settings
from shared.testing.documents import JsonObject

if TYPE_CHECKING:
    from services.ordering.tests.conftest import OrderBody, Shop, StartShop

COMPANY = {"name": "Example LLC", "number": "204378869", "country": "GE"}
AGENT = {"Authorization": "Bearer agents-key"}


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("10000017", "number"),
        ("8999 7020 0000 0000 0018", "iccid"),
        ("ANNA@example.org", "mailbox"),
        ("8 701 123 45 67", "phones"),
        ("Анна Берг", "names"),
        ("204-378-869", "companies"),
        ("a", None),
        ("?!", None),
    ],
)
def test_a_text_is_read_as_what_it_can_be(text: str, reading: str | None) -> None:
    wanted = Wanted.read(text)

    assert wanted.is_nothing is (reading is None)
    readings: JsonObject = {
        name: getattr(wanted, name) for name in ("iccid", "mailbox", "phones", "names", "companies")
    }
    readings["number"] = wanted.reference.number
    assert reading is None or readings[reading]
    assert (reading == "names") is bool(wanted.names)


async def test_orders_of_all_shops_are_found_by_what_a_buyer_names(
    shop_of: "StartShop", good_order: "OrderBody"
) -> None:
    shop: Shop = await shop_of(build, Settings, agent_keys={"support": "agents-key"})
    at_one = (await shop.place(good_order(name="Анна Сергеевна Берг"))).json()
    at_other = (
        await shop.place(
            good_order("e-sim-onl", name="Ann Lee", phone="+995555000111", company=COMPANY), storefront="e-sim-onl"
        )
    ).json()
    async with shop.service.database.transaction() as tx:
        await tx.execute(
            "INSERT INTO esims (iccid, order_id) VALUES ('8999702000000000018', :order)", order=at_one["order_id"]
        )

    async def found(text: str) -> list[object]:
        answer = await shop.http.post("/order-searches", headers=AGENT, json={"text": text})
        assert answer.status_code == 200, answer.text
        assert answer.json()["more"] is False
        return sorted(order["order_id"] for order in answer.json()["orders"])

    one, other = at_one["order_id"], at_other["order_id"]
    for text, expected in {
        at_one["order_number"]: [one],
        one: [one],
        "8999 7020 0000 0000 018": [one],
        " Anna@Example.ORG ": sorted([one, other]),
        "8 (701) 123-45-67": [one],
        "берг АННА": [one],
        "Lee": [other],
        "Leeds": [],
        "204 378 869": [other],
        "example llc": [other],
        "Example": [other],
        "204378860": [],
        "10999999": [],
    }.items():
        assert await found(text) == expected, text

    [order] = (await shop.http.post("/order-searches", headers=AGENT, json={"text": "lee"})).json()["orders"]
    assert (order["storefront"], order["status"], order["held"]) == ("e-sim-onl", "placed", False)
    assert order["contact"]["phone"] == "+995555000111"
    assert order["contact"]["company"] == COMPANY
    async with shop.service.database.transaction() as tx:
        await tx.execute("DELETE FROM buyers WHERE buyer_id = :buyer", buyer=order["buyer_id"])
    answer = await shop.http.post("/order-searches", headers=AGENT, json={"text": other})
    assert answer.json()["orders"][0]["contact"] is None, "an erased buyer's order stays, without the contact"

    assert (await shop.http.get(f"/orders/{one}", headers=AGENT)).json()["order_number"] == at_one["order_number"]
    refused = await shop.http.post("/order-searches", headers=shop.auth(), json={"text": one})
    assert refused.status_code == 401, "a shop sees its own orders only"
