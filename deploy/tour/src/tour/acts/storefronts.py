"""An order from each storefront is paid and delivered."""

from tour.expectations import Outcome, UnmetError
from tour.letters import Letter
from tour.orders import Buyer, Paid
from tour.stage import Stage

NAME = "An order from each storefront"
WORDS = (
    "Three shops, one platform. In each of them somebody orders an eSIM, pays on the bank's page and waits for the "
    "mail with the QR code. The seconds count from pressing “pay” to the mail in the mailbox."
)
_SHOPPING = (
    ("qazaq-esim", "tr-5gb-30d", "Aigerim", "+77011234567", "ru"),
    ("e-sim-onl", "global-3gb-30d", "Anna", "+4915112345678", "en"),
    ("esimka", "ge-5gb-30d", "Giorgi", "+995555123456", "en"),
)
PICTURE = "qr.png"


async def perform(stage: Stage, outcome: Outcome) -> None:
    """Order, pay, receive; then look into the ledgers."""
    before = await stage.begin()
    paid: list[Paid] = []
    letters: list[Letter] = []
    for slug, plan, name, phone, language in _SHOPPING:
        one, mail = await _buy(stage, slug, plan, Buyer(name, stage.address(name), phone, language))
        paid.append(one)
        letters.append(mail)
        outcome.orders += 1
    with stage.teller.step("Looking into the ledgers of bank, operator and mail server") as step:
        for one in paid:
            await stage.reaches(one.order, "delivered")
            outcome.delivered += 1
        await stage.check_delivered(outcome, paid, before)
        if outcome.ok:
            step.done("The ledgers agree: one payment, one profile and one mail for each order")
        else:
            step.failed("The ledgers do not agree")
    _show(stage, paid[-1], letters[-1])


async def _buy(stage: Stage, slug: str, plan: str, buyer: Buyer) -> tuple[Paid, Letter]:
    shop = await stage.buying.shop(slug)
    with stage.teller.step(f"{shop.name}: {buyer.name} orders") as step:
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


def _show(stage: Stage, paid: Paid, mail: Letter) -> None:
    picture = stage.folder / PICTURE
    picture.write_bytes(mail.picture or b"")
    stage.teller.say(f"The QR code in the mail of order {paid.order.number}, read and drawn again:")
    stage.teller.code(mail.code or "")
