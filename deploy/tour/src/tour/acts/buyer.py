"""The buyer's own page: an address corrected, the code sent there, the buyer forgotten.

In Chromium where there is one; otherwise the page's own forms are sent over HTTP, which every step works with too.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from playwright.async_api import Error as BrowserError

from sandbox.client import one_time_code
from shared.testing.browser import NoBrowserError, Page, browser
from tour.emails import Email, account_link, email
from tour.expectations import Outcome, UnmetError, until
from tour.form_page import FormPage, forms
from tour.orders import Buyer, Order, Paid
from tour.stage import Stage

NAME = "The buyer's own page"
WORDS = (
    "Every mail has a link to the order's own page, without a password. A buyer opens it on a phone, looks at the "
    "code, and corrects the address: digits that only she gets confirm it, the code comes to the new mailbox, and the "
    "old link is dead. Then the buyer asks to be forgotten. All five services say what they deleted, and what the law "
    "makes them keep."
)
ACCOUNT, ERASED = "account.png", "erased.png"
_SHOP, _PLAN, _PHONE = "qazaq-esim", "eu-10gb-30d", "+77019990011"
_WIDTH, _HEIGHT = 390, 844
_SECONDS = 30.0
_WITHOUT_BROWSER = (
    "screenshots, and whether the page fits a phone. {lacking}, so the page's forms were sent over HTTP; "
    "`deploy/local/prerequisites tests` installs what a browser needs"
)
#: What the browser says of links that open nothing.
_EXPECTED = "Failed to load resource"


@dataclass(frozen=True, slots=True)
class Visit:
    """What every step of this act works with."""

    stage: Stage
    outcome: Outcome
    page: Page | FormPage
    order: Order


async def perform(stage: Stage, outcome: Outcome) -> None:
    """Buy, look, correct, be forgotten; the mailboxes, the phone and the bank's ledger judge."""
    before = await stage.begin()
    paid, mail = await _buy(stage, outcome)
    await stage.check_delivered(outcome, [paid], before)
    try:
        async with _tab(stage) as page:
            visit = Visit(stage, outcome, page, paid.order)
            await _look(visit, mail)
            new = stage.address("Aruzhan.home")
            link = await _correct(visit, mail, new)
            await _forget(visit, link, new)
            broken = [one for one in page.errors if not one.startswith(_EXPECTED)]
            outcome.expect(broken == [], "no script of the pages fails", "notifications")
    except BrowserError as error:
        reason = str(error).partition("\n")[0]
        raise UnmetError(f"expected that the browser gets through the pages ({reason})", "notifications") from None


@asynccontextmanager
async def _tab(stage: Stage) -> AsyncIterator[Page | FormPage]:
    """What the buyer opens the page with; where no browser starts it says what is not shown."""
    lacking = None
    async with AsyncExitStack() as opened:
        page: Page | FormPage
        try:
            page = await opened.enter_async_context(browser(_WIDTH, _HEIGHT))
        except NoBrowserError:
            lacking = "There is no Chromium"
        except Exception as error:  # noqa: BLE001 - whatever keeps a browser of this machine from starting
            lacking = f"Chromium does not start here ({str(error).partition(chr(10))[0]})"
        if lacking is not None:
            page = await opened.enter_async_context(forms())
        yield page
    if lacking is not None:
        stage.narrator.not_shown(_WITHOUT_BROWSER.format(lacking=lacking))


async def _buy(stage: Stage, outcome: Outcome) -> tuple[Paid, Email]:
    shop = await stage.buying.shop(_SHOP)
    with stage.narrator.step(f"{shop.name}: Aruzhan orders, with an address that she is about to lose") as step:
        buyer = Buyer("Aruzhan", stage.address("Aruzhan.office"), _PHONE, "en")
        order = await stage.buying.order(_SHOP, _PLAN, buyer)
        paid = await stage.buying.pay(await stage.buying.page(order))
        outcome.orders += 1
        mail = await stage.mail_to(order)
        await stage.reaches(order, "delivered")
        outcome.delivered += 1
        step.done(f"{shop.name}: order {order.number} is delivered to Aruzhan's old address")
    return paid, mail


async def _look(visit: Visit, mail: Email) -> None:
    page, narrator = visit.page, visit.stage.narrator
    with narrator.step("She opens the link") as step:
        await page.goto(account_link(mail))
        headline = await page.text("h1")
        await page.click("#code button")
        await page.wait("img.qr")
        await page.screenshot(visit.stage.folder / ACCOUNT)
        sideways = await page.scrolls_sideways()
        visit.outcome.expect(sideways is not True, "the page fits a phone", "notifications")
        lines = (await page.text("#timeline")).splitlines()
        step.done(f"The page says “{headline}” and shows the code when she presses the button")
    narrator.quote([line for line in lines if line.strip()])


async def _correct(visit: Visit, mail: Email, new: str) -> str:
    """Returns the link that works from now on."""
    page, stage, outcome = visit.page, visit.stage, visit.outcome
    with stage.narrator.step("She corrects her address") as step:
        await page.goto(account_link(mail))
        await page.fill("#email", new)
        await page.click("#contact button")
        await page.wait("#enter")
        # To the old mailbox, because she has used its link; where that is not known yet, to her phone.
        old = visit.order.buyer.email
        where, text = await until(lambda: _sent(stage, old), "the digits come", "notifications", "ordering")
        await page.fill("#digits", _digits(text))
        await page.click("#enter button")
        await page.wait("h1")
        headline = await page.text("h1")
        again = await until(
            lambda: _mailed(stage, new, ".resend"), "the code comes to the new address", "notifications"
        )
        outcome.expect(again.code == mail.code, "it is the same code", "notifications", "provisioning")
        step.done(f"“{headline}”: confirmed with digits sent to {where}, and the code is in the new mailbox")
    with stage.narrator.step("Somebody reads the old mailbox") as step:
        status = await page.goto(account_link(mail))
        outcome.expect(status == HTTPStatus.NOT_FOUND, "the old link opens nothing", "notifications")
        step.done(f"The link in the old mailbox opens nothing any more (HTTP {status})")
    return account_link(again)


async def _forget(visit: Visit, link: str, new: str) -> None:
    page, stage, outcome = visit.page, visit.stage, visit.outcome
    with stage.narrator.step("She asks to be forgotten") as step:
        await page.goto(link)
        await page.click("#data button[value=erase]")
        await page.wait("#enter")
        mail = await until(lambda: _mailed(stage, new, ".code"), "the digits come by mail", "notifications", "ordering")
        await page.fill("#digits", _digits(mail.text))
        await page.click("#enter button")
        await page.wait("#services")
        request = await page.text("dd.code")

        async def done() -> dict[str, Any] | None:
            found = await stage.buying.proof(visit.order, request)
            return found if found["state"] == "done" else None

        logs = ("ordering", "payments", "provisioning", "notifications", "refunds")
        proof = await until(done, "all services confirm the erasure", *logs, seconds=_SECONDS)
        await page.wait("details")  # the page has followed by itself
        headline = await page.text("h1")
        await page.screenshot(stage.folder / ERASED)
        step.done(f"“{headline}”: {len(proof['services'])} services have confirmed it")
    outcome.expect(set(proof["services"]) == set(logs), "every service is in the proof", "ordering")
    stage.narrator.quote(_printed(proof))
    with stage.narrator.step("Looking for what is left") as step:
        status = await page.goto(link)
        outcome.expect(status == HTTPStatus.GONE, "the buyer's page is gone", "notifications")
        kept = await stage.buying.status(visit.order)
        outcome.expect(kept == "delivered", "the order itself stays, for the books", "ordering")
        step.done(f"The page is gone (HTTP {status}); the order stays for the books, and names nobody")


def _printed(proof: dict[str, Any]) -> list[str]:
    """The proof as lines."""
    lines = [f"Erasure {proof['request_id']}", f"confirmed {proof['confirmed_at']}, {proof['confirmed_by']}"]
    for name, part in proof["services"].items():
        lines.append(f"{name}: erased {part['erased_at']}; kept: {'; '.join(part['kept']) or 'nothing'}")
    return lines


async def _sent(stage: Stage, address: str) -> tuple[str, str] | None:
    """Where the digits went, and the message."""
    if (mail := await _mailed(stage, address, ".code")) is not None:
        return address, mail.text
    found = await stage.sandbox.texts(to=_PHONE)
    return (_PHONE, str(found[-1]["text"])) if found else None


async def _mailed(stage: Stage, address: str, kind: str) -> Email | None:
    found = map(email, await stage.sandbox.mails(to=address))
    return next((one for one in found if one.message_id.partition("@")[0].endswith(kind)), None)


def _digits(text: str) -> str:
    code = one_time_code(text)
    if code is None:
        raise UnmetError("expected six digits in the message", "notifications")
    return code
