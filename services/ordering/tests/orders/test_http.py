"""`GET /orders` and `GET /orders.csv` as a shop calls them."""

import csv
import io
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from services.ordering.tests.conftest import OrderBody, Shop


async def test_a_shop_lists_its_own_orders_by_cursor(shop: "Shop", good_order: "OrderBody") -> None:
    placed = [(await shop.place(key=f"cart-{number}")).json() for number in range(3)]
    await shop.place(good_order("e-sim-onl"), storefront="e-sim-onl")

    first = (await shop.get("/orders?limit=2")).json()
    rest = (await shop.get(f"/orders?limit=2&cursor={first['next_cursor']}")).json()
    assert [row["order_id"] for row in first["orders"] + rest["orders"]] == [
        order["order_id"] for order in reversed(placed)
    ]
    assert rest["next_cursor"] is None
    row = first["orders"][0]
    assert (row["submission_id"], row["status"], row["kind"], row["iccid"]) == ("cart-2", "placed", "esim", None)
    assert row["price"] == placed[2]["price"]
    assert (await shop.get(row["links"]["self"])).json()["order_number"] == row["order_number"]


async def test_the_email_filter_finds_a_mailbox_in_any_spelling_and_only_own_orders(
    shop: "Shop", good_order: "OrderBody"
) -> None:
    await shop.place(good_order(email="Bela@Example.org"))
    await shop.place()
    await shop.place(good_order("e-sim-onl", email="bela@example.org"), storefront="e-sim-onl")
    for query in ("email=bela%40example.org", "q=BELA%40example.org", "email=bela%40example.org&status=placed"):
        assert len((await shop.get(f"/orders?{query}")).json()["orders"]) == 1, query
    assert (await shop.get("/orders?email=nobody%40example.org")).json() == {"orders": [], "next_cursor": None}


async def test_what_cannot_be_served_is_a_problem_that_says_which_filters_there_are(shop: "Shop") -> None:
    refused = await shop.get("/orders?phone=77011234567&status=lost")
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:problem:unservable-filter")
    assert "status, plan, from, to, email, q" in refused.json()["detail"]
    assert {error["field"] for error in refused.json()["errors"]} == {"?", "status"}
    assert "7701123" not in refused.text
    assert (await shop.get("/orders.csv?limit=5")).status_code == 422
    assert (await shop.get("/orders?limit=1000")).status_code == 422


async def test_an_altered_cursor_is_a_problem(shop: "Shop") -> None:
    for key in ("a", "b"):
        await shop.place(key=key)
    cursor = (await shop.get("/orders?limit=1")).json()["next_cursor"]
    assert (await shop.get(f"/orders?limit=1&cursor={cursor}")).status_code == 200
    for altered, query in ((cursor[:-1], ""), ("A" + cursor, ""), (cursor, "&status=placed"), ("%00", "")):
        refused = await shop.get(f"/orders?limit=1&cursor={altered}{query}")
        assert (refused.status_code, refused.json()["type"]) == (400, "urn:problem:invalid-cursor")
    elsewhere = await shop.get(f"/orders?limit=1&cursor={cursor}", "e-sim-onl")
    assert elsewhere.status_code == 400


async def test_an_export_is_csv_by_the_same_filters(shop: "Shop") -> None:
    await shop.place(key="=1+1")
    await shop.place(key="cart-2")
    answer = await shop.get("/orders.csv?status=placed")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [row["submission_id"] for row in rows] == ["cart-2", "'=1+1"]
    assert len((await shop.get("/orders.csv?status=paid")).text.splitlines()) == 1


@pytest.mark.parametrize("path", ["/orders", "/orders.csv"])
async def test_a_list_needs_a_key(shop: "Shop", path: str) -> None:
    assert (await shop.http.get(path)).status_code == 401
