"""A card is declined, the bank's messages come thrice and forged, a refund's answer is lost; the books still agree."""

from collections import Counter

import httpx

from sandbox.client import JsonObject
from sandbox.storefront import INSUFFICIENT_FUNDS
from tour.expectations import Outcome, until
from tour.ledgers import Entry, no_profile, receipt_and_return, same_money
from tour.orders import Buyer, Order, Page
from tour.stage import Stage

NAME = "Trust a bank"
WORDS = (
    "A card is declined and a second one pays. The bank tells of it three times, and between them somebody sends a "
    "forged copy. The operator is sold out, so the money goes back, and the bank's answer to that gets lost on the "
    "way. The seller is in Kazakhstan: its cash register owes the buyer a receipt for each move of money."
)
_SHOP, _PLAN = "qazaq-esim", "tr-5gb-30d"
_TROUBLE = (
    {"target": "operator.download_order", "effect": "out_of_stock"},
    {"target": "bank.refund", "effect": "lose_reply", "times": 1},
)
_RECEIPTS, _TIMES = 2, 3


async def perform(stage: Stage, outcome: Outcome) -> None:
    """Pay, pester, refund; then compare three ledgers: ours, the bank's, the cash register's."""
    before = await stage.begin()
    receipts_before = len(await stage.sandbox.ledger_cashbox())
    await stage.sandbox.faults(*_TROUBLE)
    try:
        order = await _order(stage, outcome)
        await _declined(stage, order)
        heard = await stage.buying.messages()
        page = await _paid(stage, order)
        await _pester(stage, outcome, page, heard)
        await _returned(stage, outcome, order)
        receipts = await _receipts(stage, order, receipts_before)
    finally:
        await stage.sandbox.clear_faults()
    books = await stage.news(before)
    ledger = await stage.buying.ledger(order)
    with stage.narrator.step("Comparing our ledger with the bank's and the cash register's") as step:
        outcome.expect_nothing(same_money(ledger, books, order), "payments", "sandbox")
        outcome.expect_nothing(receipt_and_return(receipts, order), "payments", "sandbox")
        outcome.expect_nothing(no_profile(books), "provisioning")
        outcome.expect(not await stage.sandbox.cashbox_violations(), "the cash register is asked in turns", "payments")
        if outcome.ok:
            step.done("The three ledgers agree: once in, once out, one receipt and one return receipt")
        else:
            step.failed("The ledgers do not agree")
    _show(stage, ledger, receipts)


async def _order(stage: Stage, outcome: Outcome) -> Order:
    buyer = Buyer("Timur", stage.address("Timur"), "+77017654399", "ru")
    shop = await stage.buying.shop(_SHOP)
    with stage.narrator.step(f"{shop.name}: {buyer.name} orders") as step:
        order = await stage.buying.order(_SHOP, _PLAN, buyer)
        outcome.orders += 1
        step.done(f"{shop.name}: order {order.number}, {order.plan}, {order.price}")
    return order


async def _declined(stage: Stage, order: Order) -> None:
    with stage.narrator.step("The first card") as step:
        page = await stage.buying.page(order)
        reason = await stage.buying.declined(page, INSUFFICIENT_FUNDS)
        await stage.reaches(order, "payment_failed")
        step.done(f"The first card is declined: {reason.lower()} (invoice {page.invoice_id})")


async def _paid(stage: Stage, order: Order) -> Page:
    with stage.narrator.step("Another card") as step:
        page = await stage.buying.page(order)
        await stage.buying.pay(page)
        step.done(f"Another card pays {order.price} (invoice {page.invoice_id}: each try has a number of its own)")
    return page


async def _pester(stage: Stage, outcome: Outcome, page: Page, before: Counter[str]) -> None:
    with stage.narrator.step("The bank's message comes again and again, one of them forged") as step:
        forged = {"id": "0", "invoiceId": page.invoice_id, "code": "error", "reasonCode": 484, "secret_hash": "guessed"}
        async with httpx.AsyncClient(timeout=10, trust_env=False) as stranger:
            answer = await stranger.post(page.object["postLink"], json=forged)
        outcome.expect(answer.status_code == httpx.codes.FORBIDDEN, "a forged message is refused", "payments")
        await stage.sandbox.resend_webhook(page.invoice_id, times=2)

        async def thrice() -> bool | None:
            new = await stage.buying.messages() - before
            return (new["accepted"] + new["repeated"] == _TIMES and new["wrong_secret"] == 1) or None

        await until(thrice, "payments hears the bank three times, and the forgery once", "payments", "sandbox")
        step.done(f"The bank tells it three times; a forged “it failed” between is refused ({answer.status_code})")


async def _returned(stage: Stage, outcome: Outcome, order: Order) -> None:
    with stage.narrator.step("The operator is sold out, the money goes back") as step:
        await stage.reaches(order, "refunded")
        outcome.refunded += 1
        [lost] = [rule for rule in await stage.sandbox.active_faults() if rule["target"] == "bank.refund"]
        outcome.expect(lost["hits"] == 1, "the answer to the refund got lost", "sandbox")
        step.done("The bank's answer to the refund got lost: it was asked, not asked twice to pay")


async def _receipts(stage: Stage, order: Order, before: int) -> list[Entry]:
    with stage.narrator.step("The cash register") as step:

        async def issued() -> list[JsonObject] | None:
            new = (await stage.sandbox.ledger_cashbox())[before:]
            ours = [one for one in new if one["externalOrderNumber"] == order.number]
            return ours if len(ours) >= _RECEIPTS else None

        found = await until(issued, "the cash register issues a receipt and a return receipt", "payments")
        signs = " and ".join(one["checkNumber"] for one in found)
        step.done(f"The cash register has issued a receipt and a return receipt: {signs}")
    return list(found)


def _show(stage: Stage, ledger: JsonObject, receipts: list[Entry]) -> None:
    for posting in ledger["postings"]:
        amount = f"{posting['amount'] / 100:,.2f} {posting['currency']}"
        stage.narrator.say(f"{posting['kind']:<16} {posting['debit']:>16} → {posting['credit']:<16} {amount:>14}")
    stage.narrator.say(f"The buyer's receipt: {receipts[0]['ticketUrl']}")
