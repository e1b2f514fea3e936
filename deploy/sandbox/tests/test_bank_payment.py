"""Tokens, the payment page and check-status (docs/wire/epay.md)."""

from collections.abc import Iterator

import httpx
import pytest

from sandbox import storefront
from sandbox.storefront import Card
from sandbox.testing import JsonObject, RunningSandbox, running_sandbox

TERMINAL = "67e34d63-102f-4bd1-898e-370781d0074d"
LONG_SCOPE = "webapi usermanagement email_send verification statement statistics payment"
STATUS = "/epay/api/check-status/payment/transaction/"


def token_form(**changes: str) -> dict[str, str]:
    return {
        "grant_type": "client_credentials",
        "scope": LONG_SCOPE,
        "client_id": "sandbox",
        "client_secret": "sandbox-secret",
        "terminal": TERMINAL,
    } | changes


async def bearer(sb: RunningSandbox, **changes: str) -> dict[str, str]:
    answer = await sb.client.post("/epay/oauth2/token", data=token_form(**changes))
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def status(sb: RunningSandbox, invoice_id: str, **changes: str) -> httpx.Response:
    return await sb.client.get(STATUS + invoice_id, headers=await bearer(sb, **changes))


async def test_token_answer_has_the_banks_fields(sb: RunningSandbox) -> None:
    answer = await sb.client.post("/epay/oauth2/token", data=token_form())
    assert answer.status_code == 200
    body = answer.json()
    assert {**body, "access_token": ""} == {
        "access_token": "",
        "expires_in": 7200,
        "refresh_token": "",
        "scope": LONG_SCOPE,
        "token_type": "Bearer",
    }


async def test_token_takes_multipart_form_data(sb: RunningSandbox) -> None:
    files = {name: (None, value) for name, value in token_form().items()}
    answer = await sb.client.post("/epay/oauth2/token", files=files)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("changes", "status_code", "error"),
    [
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "other"}, 401, "invalid_client"),
        ({"scope": "everything"}, 400, "invalid_scope"),
        ({"scope": "payment"}, 400, "invalid_request"),
        ({"scope": "payment", "invoiceID": "12345", "amount": "1", "currency": "KZT"}, 400, "invalid_request"),
        ({"scope": "payment", "invoiceID": "123456", "amount": "x", "currency": "KZT"}, 400, "invalid_request"),
        ({"scope": "payment", "invoiceID": "123456", "amount": "5"}, 400, "invalid_request"),
    ],
)
async def test_token_refusals(sb: RunningSandbox, changes: dict[str, str], status_code: int, error: str) -> None:
    answer = await sb.client.post("/epay/oauth2/token", data=token_form(**changes))
    assert (answer.status_code, answer.json()["error"]) == (status_code, error)


async def test_a_paid_invoice_in_check_status_and_ledger(sb: RunningSandbox) -> None:
    payment = await sb.payment_object(
        "123456", 12.22, accountId="buyer-7", email="a@example.kz", backLink="https://shop/ok"
    )
    paid = await sb.pay(payment)
    assert (paid.status, paid.invoice_id, paid.redirect) == ("CHARGE", "123456", "https://shop/ok")
    answer = await status(sb, "123456")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["resultCode"], body["resultMessage"]) == ("100", "SUCCESS")
    transaction = body["transaction"]
    assert transaction["id"] == paid.transaction_id
    assert transaction["invoiceID"] == "123456"
    assert transaction["amount"] == 12.22
    assert (transaction["terminal"], transaction["terminalID"]) == ("98120001", TERMINAL)
    assert (transaction["statusName"], transaction["reasonCode"]) == ("CHARGE", "0")
    assert (transaction["accountID"], transaction["email"]) == ("buyer-7", "a@example.kz")
    assert transaction["secure"] is True
    assert transaction["cardMask"] == "440563...0001"
    assert set(transaction) >= {
        "createdDate", "amountBonus", "payoutAmount", "orgAmount", "approvalCode", "data", "currency",
        "description", "language", "cardType", "issuer", "reference", "reason", "intReference",
        "secureDetails", "statusID", "name", "phone", "cardID",
    }  # fmt: skip
    (entry,) = await sb.ledger_bank()
    assert (entry["amount"], entry["captured"], entry["refunded"], entry["refunds"]) == (1222, 1222, 0, [])


async def test_whole_amounts_stay_whole_numbers(sb: RunningSandbox) -> None:
    await sb.pay(await sb.payment_object("123456", 4990))
    assert '"amount":4990,' in (await status(sb, "123456")).text


@pytest.mark.parametrize(
    ("card", "page", "result", "name", "reason"),
    [
        (storefront.INSUFFICIENT_FUNDS, "FAILED", "101", "FAILED", "484"),
        (storefront.THREE_D_SECURE_FAILED, "FAILED", "101", "FAILED", "499"),
        (storefront.IN_PROGRESS, "NEW", "107", "NEW", "454"),
        (storefront.HELD, "AUTH", "100", "AUTH", "0"),
        (Card("4111111111111111"), "FAILED", "101", "FAILED", "471"),
        (Card(storefront.SUCCESS.number, exp="01/20"), "FAILED", "101", "FAILED", "457"),
    ],
)
async def test_the_card_decides(sb: RunningSandbox, card: Card, page: str, result: str, name: str, reason: str) -> None:
    paid = await sb.pay(await sb.payment_object("123456", 100), card)
    assert paid.status == page
    body = (await status(sb, "123456")).json()
    assert body["resultCode"] == result
    assert (body["transaction"]["statusName"], body["transaction"]["reasonCode"]) == (name, reason)
    (entry,) = await sb.ledger_bank()
    assert entry["captured"] == 0


async def test_status_codes_for_what_is_not_there_or_not_ours() -> None:
    other = "11111111-2222-3333-4444-555555555555"
    async with running_sandbox(bank_terminals=(TERMINAL, other)) as sb:
        await sb.pay(await sb.payment_object("123456", 100))
        for invoice_id, changes, code in (
            ("999999", {}, "102"),
            ("123456", {"terminal": ""}, "104"),
            ("123456", {"terminal": other}, "106"),
            ("123456", {"terminal": "99999999-2222-3333-4444-555555555555"}, "109"),
        ):
            answer = await status(sb, invoice_id, **changes)
            assert (answer.status_code, answer.json()["resultCode"]) == (400, code)


@pytest.mark.parametrize("header", [None, "Bearer nonsense", "Bearer a.b", "Basic eA=="])
async def test_status_needs_a_token(sb: RunningSandbox, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = await sb.client.get(STATUS + "123456", headers=headers)
    assert answer.status_code == 401
    assert set(answer.json()) == {"code", "message"}


async def test_a_payment_token_opens_no_status(sb: RunningSandbox) -> None:
    payment = await sb.payment_object("123456", 100)
    headers = {"Authorization": f"Bearer {payment['auth']['access_token']}"}
    assert (await sb.client.get(STATUS + "123456", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 99},
        {"amount": "nothing"},
        {"amount": None},
        {"currency": "USD"},
        {"terminal": "other"},
        {"invoiceId": "123457"},
        {"invoiceId": "12"},
        {"invoiceId": None},
        {"description": "д" * 63},
        {"auth": {"access_token": "x.y"}},
        {"auth": "x"},
    ],
)
async def test_the_page_compares_with_the_token(sb: RunningSandbox, change: JsonObject) -> None:
    payment = await sb.payment_object("123456", 100)
    with pytest.raises(httpx.HTTPStatusError) as refused:
        await sb.pay(payment | change)
    assert refused.value.response.status_code in {400, 401}
    assert set(refused.value.response.json()) == {"code", "message"}
    assert await sb.ledger_bank() == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"payment": 1, "card": {}}', b'"\xff"', b"[" * 100_000])
async def test_the_page_refuses_what_is_no_payment(sb: RunningSandbox, body: bytes) -> None:
    answer = await sb.client.post("/epay/payform/pay", content=body)
    assert answer.status_code == 400


@pytest.mark.parametrize("second", ["1000123456", "123456", "9123456"])
async def test_an_invoice_or_its_tail_is_used_once(sb: RunningSandbox, second: str) -> None:
    await sb.pay(await sb.payment_object("123456", 100), storefront.INSUFFICIENT_FUNDS)
    with pytest.raises(httpx.HTTPStatusError):
        await sb.pay(await sb.payment_object(second, 100))
    assert len(await sb.ledger_bank()) == 1


async def test_equal_tails_may_be_allowed() -> None:
    async with running_sandbox(bank_unique_tail=False) as sb:
        await sb.pay(await sb.payment_object("1000123456", 100))
        await sb.pay(await sb.payment_object("2000123456", 100))
        assert len(await sb.ledger_bank()) == 2


async def test_settling_a_payment_in_progress(sb: RunningSandbox, invoices: Iterator[str]) -> None:
    invoice_id = next(invoices)
    await sb.pay(await sb.payment_object(invoice_id, 100), storefront.IN_PROGRESS)
    await sb.settle(invoice_id)
    assert (await status(sb, invoice_id)).json()["transaction"]["statusName"] == "CHARGE"
    with pytest.raises(RuntimeError, match="409"):
        await sb.settle(invoice_id, "FAILED")
    with pytest.raises(RuntimeError, match="404"):
        await sb.settle("999999")


async def test_the_script_defines_halyk_pay(sb: RunningSandbox) -> None:
    answer = await sb.client.get("/epay/payform/payment-api.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "window.halyk" in answer.text


async def test_unknown_paths_and_methods_below_epay(sb: RunningSandbox) -> None:
    assert (await sb.client.get("/epay/other")).status_code == 404
    assert (await sb.client.get("/epay/oauth2/token")).status_code == 405
    assert (await sb.client.post("/epay/oauth2/token", content=b"x" * 1_100_000)).status_code == 413
