"""Refund, cancel and charge (docs/wire/epay.md)."""

import httpx
import pytest

from sandbox import storefront
from sandbox.bank.ledger import BankLedger, Transaction
from sandbox.bank.operations import refund
from sandbox.clock import now
from sandbox.ledger import Journal
from sandbox.storefront import Card
from sandbox.testing import JsonObject, RunningSandbox, running_sandbox

LONG_SCOPE = "webapi usermanagement email_send verification statement statistics payment"


async def token(sb: RunningSandbox, terminal: str = "67e34d63-102f-4bd1-898e-370781d0074d") -> dict[str, str]:
    form = {
        "grant_type": "client_credentials",
        "scope": LONG_SCOPE,
        "client_id": "sandbox",
        "client_secret": "sandbox-secret",
        "terminal": terminal,
    }
    answer = await sb.client.post("/epay/oauth2/token", data=form)
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def paid(sb: RunningSandbox, amount: float = 100, card: Card = storefront.SUCCESS) -> str:
    return (await sb.pay(await sb.payment_object("123456", amount), card)).transaction_id


async def operate(sb: RunningSandbox, identity: str, operation: str, **args: str | float) -> httpx.Response:
    path = f"/epay/api/operation/{identity}/{operation}"
    return await sb.client.post(path, params=args, headers=await token(sb))


async def entry(sb: RunningSandbox) -> JsonObject:
    (only,) = await sb.ledger_bank()
    return only


async def test_a_full_refund(sb: RunningSandbox) -> None:
    answer = await operate(sb, await paid(sb), "refund", externalID="r-1")
    assert (answer.status_code, answer.json()["code"]) == (200, 0)
    ledger = await entry(sb)
    assert (ledger["status"], ledger["captured"], ledger["refunded"]) == ("REFUND", 10000, 10000)
    (refund,) = ledger["refunds"]
    assert (refund["amount"], refund["externalID"]) == (10000, "r-1")


def test_the_least_refund_of_10_is_one_of_tenge() -> None:
    ledger = BankLedger(Journal(None), unique_tail=True)
    dollars = Transaction(
        id="t",
        invoice_id="100001",
        amount=750,
        currency="USD",
        terminal="t",
        status="CHARGE",
        captured=750,
        created_at=now(),
        changed_at=now(),
    )
    refund(ledger, dollars, amount=None, external_id="r-1", deduplicate=False, partial_status="CHARGE")
    assert (dollars.status, dollars.refunded) == ("REFUND", 750)


async def test_partial_refunds_until_nothing_remains(sb: RunningSandbox) -> None:
    identity = await paid(sb)
    assert (await operate(sb, identity, "refund", amount=30.5)).status_code == 200
    assert (await entry(sb))["status"] == "CHARGE"
    too_much = await operate(sb, identity, "refund", amount=70)
    assert (too_much.status_code, set(too_much.json())) == (400, {"code", "message"})
    assert (await operate(sb, identity, "refund", amount=69.5)).status_code == 200
    assert ((await entry(sb))["status"], (await entry(sb))["refunded"]) == ("REFUND", 10000)
    assert (await operate(sb, identity, "refund", amount=10)).status_code == 400


@pytest.mark.parametrize("amount", ["9.99", "0", "-20", "NaN", "Infinity", "1e400", "ten", "10.001", ""])
async def test_refund_amounts_that_are_refused(sb: RunningSandbox, amount: str) -> None:
    answer = await operate(sb, await paid(sb), "refund", amount=amount)
    assert answer.status_code == 400
    assert (await entry(sb))["refunds"] == []


@pytest.mark.parametrize(
    ("deduplicate", "refunded"),
    [(False, 4000), (True, 2000)],
)
async def test_external_id_deduplicates_only_if_so_set(sb: RunningSandbox, refunded: int, *, deduplicate: bool) -> None:
    await sb.bank_behaviour(deduplicate_refunds=deduplicate)
    identity = await paid(sb)
    for _ in range(2):
        assert (await operate(sb, identity, "refund", amount=20, externalID="r-1")).status_code == 200
    assert (await entry(sb))["refunded"] == refunded


async def test_a_deduplicated_full_refund_is_answered_again() -> None:
    async with running_sandbox(bank_deduplicate_refunds=True) as sb:
        identity = await paid(sb)
        for _ in range(2):
            assert (await operate(sb, identity, "refund", externalID="r-1")).status_code == 200
        assert len((await entry(sb))["refunds"]) == 1


async def test_the_status_after_a_partial_refund_may_be_refund(sb: RunningSandbox) -> None:
    await sb.bank_behaviour(partial_refund_status="REFUND", amount_after_refund="remaining")
    identity = await paid(sb)
    await operate(sb, identity, "refund", amount=20)
    assert (await operate(sb, identity, "refund", amount=20)).status_code == 400
    path = "/epay/api/check-status/payment/transaction/123456"
    shown = (await sb.client.get(path, headers=await token(sb))).json()["transaction"]
    assert (shown["statusName"], shown["amount"], shown["payoutAmount"], shown["orgAmount"]) == (
        "REFUND",
        80,
        20,
        100,
    )


async def test_cancel_and_charge_only_from_auth(sb: RunningSandbox) -> None:
    identity = await paid(sb)
    assert (await operate(sb, identity, "cancel")).status_code == 400
    assert (await operate(sb, identity, "charge")).status_code == 400


async def test_cancel_lets_held_money_go(sb: RunningSandbox) -> None:
    identity = await paid(sb, card=storefront.HELD)
    assert (await operate(sb, identity, "refund")).status_code == 400
    assert (await operate(sb, identity, "cancel")).status_code == 200
    assert ((await entry(sb))["status"], (await entry(sb))["captured"]) == ("CANCEL", 0)


async def test_charge_captures_held_money(sb: RunningSandbox) -> None:
    identity = await paid(sb, card=storefront.HELD)
    assert (await operate(sb, identity, "charge")).status_code == 200
    assert ((await entry(sb))["status"], (await entry(sb))["captured"]) == ("CHARGE", 10000)


async def test_operations_need_a_token_and_the_right_transaction(sb: RunningSandbox) -> None:
    identity = await paid(sb)
    assert (await sb.client.post(f"/epay/api/operation/{identity}/refund")).status_code == 401
    assert (await operate(sb, "no-such-id", "refund")).status_code == 400
    other = await token(sb, "11111111-2222-3333-4444-555555555555")
    answer = await sb.client.post(f"/epay/api/operation/{identity}/refund", headers=other)
    assert answer.status_code == 400
    assert (await entry(sb))["refunds"] == []
