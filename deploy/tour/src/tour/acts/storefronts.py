"""An order from each storefront is paid and delivered."""

import json
from collections.abc import Sequence

from tour.emails import Email
from tour.expectations import Outcome, UnmetError, until
from tour.orders import Buyer, Paid
from tour.receiver import Heard, Receiver, receiving
from tour.stage import Stage

NAME = "An order from each storefront"
WORDS = (
    "Three shops, one platform. Each shop's server uses the client esim_fulfilment: somebody orders an eSIM, pays on "
    "the bank's page and waits for the mail with the QR code. The seconds count from pressing “pay” to the mail in the "
    "mailbox. The shop hears by signed webhooks what happens."
)
_SHOPPING = (
    ("qazaq-esim", "tr-5gb-30d", "Aigerim", "+77011234567", "ru"),
    ("e-sim-onl", "global-3gb-30d", "Anna", "+4915112345678", "en"),
    ("esimka", "ge-5gb-30d", "Giorgi", "+995555123456", "en"),
)
#: What every shop hears of an order that goes well.
_HEARD = ("order.accepted", "order.paid", "order.delivered")
PICTURE = "qr.png"


async def perform(stage: Stage, outcome: Outcome) -> None:
    """Order, pay, receive; then look at the webhooks that came, and into the ledgers."""
    with receiving() as receiver:
        for slug, *_ in _SHOPPING:
            await receiver.register(stage.buying.client(slug))
        await _perform(stage, outcome, receiver)
        await receiver.leave()


async def _perform(stage: Stage, outcome: Outcome, receiver: Receiver) -> None:
    before = await stage.begin()
    paid: list[Paid] = []
    emails: list[Email] = []
    for slug, plan, name, phone, language in _SHOPPING:
        one, mail = await _buy(stage, slug, plan, Buyer(name, stage.address(name), phone, language))
        paid.append(one)
        emails.append(mail)
        outcome.orders += 1
    with stage.narrator.step("Looking into the ledgers of bank, operator and mail server") as step:
        for one in paid:
            await stage.reaches(one.order, "delivered")
            outcome.delivered += 1
        await stage.check_delivered(outcome, paid, before)
        if outcome.ok:
            step.done("The ledgers agree: one payment, one profile and one mail for each order")
        else:
            step.failed("The ledgers do not agree")
    await _hear(stage, receiver, paid)
    _show(stage, paid[-1], emails[-1])


async def _hear(stage: Stage, receiver: Receiver, paid: Sequence[Paid]) -> None:
    """Wait until each shop has heard how its order went, and show the last webhook. Raises UnmetError."""

    async def all_heard() -> list[Heard] | None:
        heard = [receiver.heard(one.order.id) for one in paid]
        complete = all(set(_HEARD) <= {one.event.type for one in each} for each in heard)
        return [one for each in heard for one in each] if complete else None

    with stage.narrator.step("Each shop hears by webhook what happened to its order") as step:
        sentence = f"each shop gets the webhooks {', '.join(_HEARD)}, signed with its secret"
        webhooks = await until(all_heard, sentence, "ordering")
        slowest = max(one.seconds for one in webhooks)
        step.done(f"{len(webhooks)} webhooks came, signed for their shop; the slowest {slowest:.2f} s after the fact")
    last = next(one for one in reversed(webhooks) if one.event.type == "order.delivered")
    stage.narrator.say(f"The webhook {last.event.id}, as {paid[-1].order.shop.name} received it:")
    stage.narrator.quote(json.dumps(last.payload, indent=2, ensure_ascii=False).splitlines())


async def _buy(stage: Stage, slug: str, plan: str, buyer: Buyer) -> tuple[Paid, Email]:
    shop = await stage.buying.shop(slug)
    with stage.narrator.step(f"{shop.name}: {buyer.name} orders") as step:
        order = await stage.buying.order(slug, plan, buyer)
        step.now(f"order {order.number}, {order.price}: to the bank's page")
        paid = await stage.buying.pay(await stage.buying.page(order))
        step.now(f"order {order.number}, {order.price}: paid, waiting for the mail")
        mail = await stage.mail_to(order)
        if mail.code is None:
            raise UnmetError(f"expected that the mail for order {order.number} has a readable QR code", "notifications")
        seconds = (mail.at - paid.at).total_seconds()
        what = f"{shop.name:<10}  order {order.number}  {order.plan:<20}  {order.price!s:>12}"
        step.done(f"{what}  {seconds:5.2f} s")
    return paid, mail


def _show(stage: Stage, paid: Paid, mail: Email) -> None:
    picture = stage.folder / PICTURE
    picture.write_bytes(mail.picture or b"")
    stage.narrator.say(f"The QR code in the mail of order {paid.order.number}, read and drawn again:")
    stage.narrator.code(mail.code or "")
