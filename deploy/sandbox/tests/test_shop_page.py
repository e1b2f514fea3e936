"""The shop's page and the bank's page, as a browser gets them."""

import json

import httpx
import pytest

from sandbox.testing import RunningSandbox

PAYMENT = {"invoiceId": "200001", "amount": 4990.5, "currency": "KZT", "description": "Turkey 5 GB, order 1"}


async def test_the_shop_page_passes_the_payment_object_to_the_widget(sb: RunningSandbox) -> None:
    url = await sb.shop_page("10000001", PAYMENT, "Turkey 5 GB", "4,990.50 KZT")
    page = await sb.client.get(url)
    assert '<script src="/epay/payform/payment-api.js">' in page.text
    assert "halyk.pay(payment)" in page.text
    assert '"invoiceId": "200001"' in page.text
    for end, words in (("thanks", "Thank you"), ("declined", "did not go through")):
        assert words in (await sb.client.get(f"{url}/{end}")).text
    assert (await sb.client.get(f"{url}/other")).status_code == 404
    assert (await sb.client.get("/shop/unknown")).status_code == 404
    assert (await sb.client.put("/shop/a%20b", json={})).status_code == 422


async def test_only_the_banks_page_has_a_card_form(sb: RunningSandbox) -> None:
    shop = (await sb.client.get(await sb.shop_page("1", PAYMENT, "t", "p"))).text
    bank = await sb.client.post("/epay/payform/page", data={"payment": json.dumps(PAYMENT)})
    assert "4,990.50 KZT" in bank.text
    assert "frame-ancestors 'none'" in bank.headers["content-security-policy"]
    assert ('id="number"' in bank.text, 'id="number"' in shop) == (True, False)


async def test_nothing_in_a_payment_object_becomes_markup(sb: RunningSandbox) -> None:
    nasty = "</script><b>bold</b>"
    for page in (
        await sb.client.post("/epay/payform/page", data={"payment": json.dumps(PAYMENT | {"description": nasty})}),
        await sb.client.get(await sb.shop_page("1", PAYMENT | {"description": nasty}, nasty, nasty)),
    ):
        assert page.status_code == httpx.codes.OK
        assert "<b>bold" not in page.text


@pytest.mark.parametrize("payment", ["", "[]", "{", '{"amount": "much"}'])
async def test_a_page_without_a_payment(sb: RunningSandbox, payment: str) -> None:
    assert (await sb.client.post("/epay/payform/page", data={"payment": payment})).status_code == 400
