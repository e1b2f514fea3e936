"""The shop against a scripted service: checkout, payment, what a buyer may see, troubles of the service."""

import html
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx
import pytest

from esim_fulfilment.testing import Reply
from example_shop.context import LANGUAGE, SESSION
from example_shop.texts import LANGUAGES, texts

if TYPE_CHECKING:
    from examples.shop.tests.conftest import Running


ORDER_ID = "0198b3c4-0000-7000-8000-000000000001"
PATHS = ("/", "/?q=zz", "/device", "/plans/tr-5gb-30d", "/orders", "/documents/offer", "/nothing")
Fill = Callable[..., dict[str, str]]
INLINE = re.compile(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|<style|javascript:", re.IGNORECASE)


async def test_the_checkout_places_one_order_under_the_basket_as_its_key(
    shop: "Running", buyer: httpx.AsyncClient, fill: Fill
) -> None:
    shop.service.paths[f"POST /orders/{'0198b3c4-0000-7000-8000-000000000001'}/payment"] = Reply(
        200, {"auth": "<'&\">"}
    )
    page = await buyer.post("/plans/tr-5gb-30d", data=fill(newsletter="yes"), headers={"User-Agent": "Phone/1"})
    assert page.status_code == 200
    assert page.url.path == "/orders/basket-1/pay"
    assert "$10.50" in page.text
    await buyer.post("/plans/tr-5gb-30d", data=fill(newsletter="yes"), headers={"User-Agent": "Phone/1"})
    sent = [one for one in shop.service.received if (one.method, one.path) == ("POST", "/orders")]
    assert {(one.headers["idempotency-key"], one.body) for one in sent} == {("basket-1", sent[0].body)}
    assert sent[0].json["buyer"] == {
        "name": "Anna Berg",
        "email": "anna@example.org",
        "phone": "+4915112345678",
        "language": "en",
    }
    assert (sent[0].json["offer_version"], sent[0].json["newsletter"]) == ("TC-1", True)
    assert sent[0].headers["user-agent"] == "Phone/1"


@pytest.mark.parametrize("language", LANGUAGES)
async def test_each_page_that_sets_a_cookie_says_what_it_is_for(shop: "Running", language: str) -> None:
    notice = html.escape(texts(language)["cookies"])
    for path in PATHS:
        async with httpx.AsyncClient(base_url=shop.url, headers={"Accept-Language": language}) as visitor:
            page = await visitor.get(path)
            assert SESSION in page.headers["set-cookie"], path
            assert notice in page.text, path
            chosen = await visitor.post("/language", data={"language": language, "back": path})
            shown = await visitor.get(chosen.headers["location"])
            assert {SESSION, LANGUAGE} == set(visitor.cookies)
            assert notice in shown.text, path


async def test_the_payment_object_is_data_of_the_page_and_no_script(
    shop: "Running", buyer: httpx.AsyncClient, fill: Fill
) -> None:
    payment = {"auth": "</script><script>alert(1)</script>", "quote": "\"'&"}
    shop.service.paths[f"POST /orders/{ORDER_ID}/payment"] = Reply(200, payment)
    page = await buyer.post("/plans/tr-5gb-30d", data=fill())
    (data,) = re.findall(r'data-payment="([^"]*)"', page.text)
    assert json.loads(html.unescape(data)) == payment
    assert INLINE.findall(page.text) == []


@pytest.mark.parametrize("left_out", ["name", "email", "phone", "device", "documents"])
async def test_without_data_or_consents_nothing_is_sent(
    shop: "Running", buyer: httpx.AsyncClient, fill: Fill, left_out: str
) -> None:
    page = await buyer.post("/plans/tr-5gb-30d", data=fill(**{left_out: ""}))
    assert page.status_code == 422
    assert not any(one.method == "POST" for one in shop.service.received)


async def test_wrong_fields_are_named_and_what_was_given_stays(
    shop: "Running", buyer: httpx.AsyncClient, fill: Fill
) -> None:
    problem = {"type": "urn:problem:invalid-order", "errors": [{"field": "buyer.phone", "message": "is no number"}]}
    shop.service.paths["POST /orders"] = Reply(422, problem)
    page = await buyer.post("/plans/tr-5gb-30d", data=fill(phone="12"))
    assert page.status_code == 422
    assert "This is not a valid phone number" in page.text
    assert 'value="anna@example.org"' in page.text
    assert (await buyer.get("/orders/basket-1")).status_code == 404


async def test_new_documents_are_shown_and_confirmed_again(
    shop: "Running", buyer: httpx.AsyncClient, fill: Fill
) -> None:
    shop.service.paths["POST /orders"] = Reply(409, {"type": "urn:problem:outdated-documents"})
    page = await buyer.post("/plans/tr-5gb-30d", data=fill())
    assert page.status_code == 422
    assert "Our documents have changed" in page.text
    assert len([one for one in shop.service.received if one.path == "/storefront"]) == 2


async def test_an_order_whose_answer_was_lost_is_sent_again_under_the_same_key(
    shop: "Running", buyer: httpx.AsyncClient, fill: Fill
) -> None:
    accepted = shop.service.paths["POST /orders"]
    shop.service.paths["POST /orders"] = Reply(500, {"type": "urn:problem:internal-error"})
    page = await buyer.post("/plans/tr-5gb-30d", data=fill())
    assert "Your order is being placed" in page.text
    shop.service.paths["POST /orders"] = accepted
    page = await buyer.get("/orders/basket-1")
    assert "Waiting for the payment" in page.text
    sent = [one for one in shop.service.received if (one.method, one.path) == ("POST", "/orders")]
    assert len({(one.headers["idempotency-key"], one.body) for one in sent}) == 1


async def test_nobody_else_sees_an_order(shop: "Running", buyer: httpx.AsyncClient, fill: Fill) -> None:
    await buyer.post("/plans/tr-5gb-30d", data=fill())
    assert (await buyer.get("/orders/basket-1")).status_code == 200
    async with httpx.AsyncClient(base_url=shop.url, trust_env=False) as stranger:
        for path in ("", "/part", "/events", "/pay", "/top-up", "/refund"):
            assert (await stranger.get(f"/orders/basket-1{path}")).status_code == 404
        # Nor can a stranger replace what waits to be sent, or read it, by the basket's name.
        assert "anna@" not in (await stranger.get("/orders")).text


async def test_a_form_of_another_site_is_refused(shop: "Running", buyer: httpx.AsyncClient, fill: Fill) -> None:
    answer = await buyer.post("/plans/tr-5gb-30d", data=fill(), headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert not any(one.path == "/orders" for one in shop.service.received)


@pytest.mark.parametrize("back", ["//evil.example", "/\\evil.example", "https://evil.example"])
async def test_a_chosen_language_stays_and_leads_to_a_page_of_ours(buyer: httpx.AsyncClient, back: str) -> None:
    answer = await buyer.post("/language", data={"language": "kk", "back": back}, follow_redirects=False)
    assert answer.headers["location"].startswith("/")
    assert answer.headers["location"][1:2] not in ("/", "\\")
    assert 'lang="kk"' in (await buyer.get("/")).text


@pytest.mark.parametrize("language", ["en", "ru", "kk"])
@pytest.mark.parametrize(
    "path", ["/", "/?q=zz", "/device", "/plans/tr-5gb-30d", "/orders", "/documents/offer", "/nothing"]
)
async def test_every_page_is_in_each_language_without_inline_script_or_style(
    buyer: httpx.AsyncClient, language: str, path: str
) -> None:
    page = await buyer.get(path, headers={"Accept-Language": f"{language}-KZ,en;q=0.5"})
    assert f'<html lang="{language}">' in page.text
    assert INLINE.findall(page.text) == []
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'; script-src 'self' https://bank.example;" in policy


async def test_while_the_service_is_away_the_page_says_so_and_keeps_what_it_knows(
    shop: "Running", buyer: httpx.AsyncClient, fill: Fill
) -> None:
    await buyer.post("/plans/tr-5gb-30d", data=fill())
    await buyer.get("/orders/basket-1")
    shop.service.paths[f"GET /orders/{ORDER_ID}"] = Reply(500, {})
    page = await buyer.get("/orders/basket-1")
    assert page.status_code == 200
    assert "Waiting for the payment" in page.text
    assert "We cannot ask for the current state" in page.text
