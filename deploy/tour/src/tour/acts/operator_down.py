"""The operator is down, so the order fails, the money goes back and the buyer reads why."""

import asyncio

from sandbox.client import JsonObject
from tour.emails import excerpt, html_alone
from tour.expectations import Outcome, UnmetError, until
from tour.ledgers import all_returned, no_profile, one_capture_each
from tour.orders import Buyer, Paid
from tour.stage import DEADLINE_SECONDS, IMPATIENT_SHOP, Stage

NAME = "The operator is down"
WORDS = (
    "Somebody pays while the operator answers nothing but 503. On this stack the shop promises the eSIM within "
    f"{DEADLINE_SECONDS} seconds (a setting; a day in real life). Then, by itself, the platform gives up, opens a "
    "refund case, decides it by the shop's own policy, sends the money back and writes to the buyer."
)
MAIL = "refund-mail.html"
_DOWN = [
    {"target": f"operator.{function}", "effect": "http_error", "status": 503}
    for function in ("download_order", "confirm_order", "cancel_order", "release_profile")
]
_EXCERPT_LINES = 14


async def perform(stage: Stage, outcome: Outcome) -> None:
    """Break the operator, pay, watch the refund, look into the ledgers."""
    before = await stage.begin()
    await stage.sandbox.faults(*_DOWN)
    try:
        paid = await _pay(stage, outcome)
        await _give_up(stage, paid)
        await _refund(stage, outcome, paid)
    finally:
        await stage.sandbox.clear_faults()
    await _mail(stage, outcome, paid)
    books = await stage.news(before)
    outcome.expect_nothing(one_capture_each(books, [paid]), "payments")
    outcome.expect_nothing(all_returned(books, [paid]), "payments", "refunds")
    outcome.expect_nothing(no_profile(books), "provisioning")


async def _pay(stage: Stage, outcome: Outcome) -> Paid:
    buyer = Buyer("Nino", stage.address("Nino"), "+995555654321", "en")
    shop = await stage.buying.shop(IMPATIENT_SHOP)
    with stage.narrator.step(f"{shop.name}: {buyer.name} orders") as step:
        order = await stage.buying.order(shop.slug, "ge-5gb-30d", buyer)
        paid = await stage.buying.pay(await stage.buying.page(order))
        outcome.orders += 1
        step.done(f"{shop.name}: order {order.number}, {order.plan}, is paid: {order.price}")
    return paid


async def _give_up(stage: Stage, paid: Paid) -> None:
    began = asyncio.get_running_loop().time()
    with stage.narrator.step("Asking the operator again and again") as step:

        async def failed() -> JsonObject | None:
            rules = await stage.sandbox.active_faults()
            step.now(f"calls so far, all answered with 503: {sum(rule['hits'] for rule in rules)}")
            return next(iter(await stage.buying.cases(paid.order)), None)

        await until(failed, "a failed order opens a refund case", "provisioning", "refunds", every=0.1)
        calls = sum(rule["hits"] for rule in await stage.sandbox.active_faults())
        seconds = asyncio.get_running_loop().time() - began
        step.done(f"Given up after {seconds:.1f} s and {calls} calls; a refund case has opened by itself")


async def _refund(stage: Stage, outcome: Outcome, paid: Paid) -> None:
    with stage.narrator.step("The case is decided, the money goes back") as step:

        async def settled() -> JsonObject | None:
            [case] = await stage.buying.cases(paid.order)
            if case["refund_failure"]:
                raise UnmetError("expected that the bank returns the money, but it refused", "payments", "sandbox")
            return case if case["settled_at"] else None

        case = await until(settled, "the bank returns the money", "refunds", "payments")
        await stage.reaches(paid.order, "refunded")
        outcome.refunded += 1
        ground = case["decision"]["grounds"][0]
        clause = f"{ground['document']} {ground['clause']}"
        step.done(f"Approved by clause {clause}; the bank has returned the money")
    stage.narrator.say(f"{clause}: “{ground['text']}”")
    transaction = await stage.sandbox.transaction(paid.invoice_id) or {}
    taken, back = transaction.get("captured", 0), transaction.get("refunded", 0)
    outcome.expect(taken == back == paid.order.price.amount, "the bank returned what it took", "payments")
    currency = paid.order.price.currency
    stage.narrator.say(
        f"The bank's ledger: captured {taken / 100:.2f} {currency}, returned {back / 100:.2f} {currency}."
    )


async def _mail(stage: Stage, outcome: Outcome, paid: Paid) -> None:
    with stage.narrator.step(f"{paid.order.buyer.name} gets a mail") as step:
        mail = await stage.mail_to(paid.order)
        step.done(f"{paid.order.buyer.name} gets a mail: “{mail.subject}”")
    stage.narrator.quote(excerpt(mail.text, _EXCERPT_LINES))
    (stage.folder / MAIL).write_text(html_alone(mail))
    [case] = await stage.buying.cases(paid.order)
    for ground in case["decision"]["grounds"]:
        clause = f"{ground['document']} {ground['clause']}"
        outcome.expect(clause in mail.text, f"the mail names clause {clause}", "notifications")
