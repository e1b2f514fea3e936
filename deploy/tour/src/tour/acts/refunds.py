"""Six buyers, two of each seller, ask for their money; each gets the answer that the seller's policy gives."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from typing import Literal

from sandbox.client import JsonObject
from tour.emails import Email, account_link, email
from tour.expectations import Outcome, UnmetError, until
from tour.form_page import forms
from tour.ledgers import CONFIRMED
from tour.orders import Buyer, Paid
from tour.stage import Stage

NAME = "Money back, or not"
WORDS = (
    "Six buyers, two of each seller, have their code and ask for their money all the same: on the order's own page, by "
    "e-mail, by Telegram, by WhatsApp, or at the shop. Each seller has a policy of its own. Where use matters the "
    "operator is asked first, and what it does not know is waited for; where a failure is claimed, an agent looks. "
    "What is paid back is first taken out of use. The answer comes by mail, with the clauses that it rests on."
)
_PHONE = "89049032000000000000000000000163"
_SECONDS = 60.0
_CHAT = 777


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, for which reason, and what the policy answers: the verdict, and clauses that the mail must name."""

    name: str
    slug: str
    plan: str
    phone: str
    story: str
    reason: str
    approved: bool
    clauses: tuple[str, ...]
    #: The phone installs the code before the buyer asks.
    installs: bool = False
    #: What an agent finds.
    finding: str | None = None
    #: Where the buyer asks: at the shop, on the order's page, or by a message to the seller.
    way: Literal["shop", "page", "e-mail", "Telegram", "WhatsApp"] = "shop"
    #: The operator does not know at first whether the code is used.
    unknown_at_first: bool = False


ASKERS = (
    Asker(
        "Madina",
        "qazaq-esim",
        "tr-5gb-30d",
        "+77011111111",
        "it does not work, and support finds that it never could",
        "technical_failure",
        approved=True,
        clauses=("RP 2.1", "RP 2.2", "RP 2.3", "PO 5.4"),
        finding="technical_failure",
        way="page",
    ),
    Asker(
        "Yerbol",
        "qazaq-esim",
        "tr-5gb-30d",
        "+77012222222",
        "changed his mind after the code had come, and says so by WhatsApp",
        "I changed my mind",
        approved=False,
        clauses=("RP 1", "PO 5.2", "RP 2"),
        way="WhatsApp",
    ),
    Asker(
        "Clara",
        "e-sim-onl",
        "global-3gb-30d",
        "+4915111111111",
        "never installed it, which the operator does not know at first, so the case waits",
        "changed_mind",
        approved=True,
        clauses=("RC 1",),
        unknown_at_first=True,
    ),
    Asker(
        "Emil",
        "e-sim-onl",
        "global-3gb-30d",
        "+4915122222222",
        "installed it, did not use it, and asks by e-mail",
        "I changed my mind.",
        approved=False,
        clauses=("RC 1",),
        installs=True,
        way="e-mail",
    ),
    Asker(
        "Tamar",
        "esimka",
        "ge-5gb-30d",
        "+995555111111",
        "did not use the code, and asks by Telegram",
        "I changed my mind",
        approved=True,
        clauses=("RF 2.1",),
        way="Telegram",
    ),
    Asker(
        "Levan",
        "esimka",
        "ge-5gb-30d",
        "+995555222222",
        "lost the code, and says so by e-mail",
        "I lost the code.",
        approved=False,
        clauses=("RF 3.3",),
        way="e-mail",
    ),
)


async def perform(stage: Stage, outcome: Outcome) -> None:
    """Buy, ask, read the answers; the bank's and the operator's ledgers judge."""
    await stage.begin()
    with stage.narrator.step("Six buyers order, pay and get their codes") as step:
        bought = await asyncio.gather(*(_buy(stage, asker) for asker in ASKERS))
        outcome.orders, outcome.delivered = len(bought), len(bought)
        step.done("Six buyers have paid, and have their codes")
    with stage.narrator.step("They ask for their money") as step:
        answers = await asyncio.gather(
            *(_ask(stage, asker, paid, mail) for asker, (paid, mail) in zip(ASKERS, bought, strict=True))
        )
        step.done("They asked for their money, and each has an answer by mail")
    for asker, (paid, _), answer in zip(ASKERS, bought, answers, strict=True):
        verdict = "Approved" if asker.approved else "Refused"
        who = f"{paid.order.shop.name:<10}  {asker.name}: {asker.story}"
        stage.narrator.right(f"{who}. {verdict} ({', '.join(asker.clauses)})")
        _judge(outcome, asker, answer)
    with stage.narrator.step("Looking into the ledgers of bank and operator") as step:
        await _money(stage, outcome, [paid for paid, _ in bought])
        await _codes(stage, outcome, [mail for _, mail in bought])
        await _chat(stage, outcome)
        if outcome.ok:
            step.done("The bank returned three prices whole and nothing else; the three codes work no longer")
        else:
            step.failed("The ledgers do not agree")


async def _buy(stage: Stage, asker: Asker) -> tuple[Paid, Email]:
    buyer = Buyer(asker.name, stage.address(asker.name), asker.phone, "en")
    order = await stage.buying.order(asker.slug, asker.plan, buyer)
    paid = await stage.buying.pay(await stage.buying.page(order))
    mail = await stage.mail_to(order)
    if mail.code is None:
        raise UnmetError(f"expected that the mail for order {order.number} has a readable QR code", "notifications")
    await stage.reaches(order, "delivered")
    return paid, mail


async def _ask(stage: Stage, asker: Asker, paid: Paid, mail: Email) -> Email:
    """Ask as the buyer does, and wait for the mail with the answer."""
    order = paid.order
    if asker.installs:
        seen = await stage.sandbox.scan(str(mail.code), _PHONE, "download", "install")
        if not seen["ok"]:
            raise UnmetError(f"expected that a phone can install the code of order {order.number}", "sandbox")
    if asker.unknown_at_first:
        await _wait(stage, asker, paid, mail)
    elif asker.way == "Telegram":
        await _write(stage, asker, paid)
    elif asker.way == "WhatsApp":
        await _write_by_whatsapp(stage, asker, paid)
    elif asker.way == "e-mail":
        await stage.buying.hand_in(order.shop.slug, _own_mail(asker, paid))
    elif asker.way == "page":
        await _fill_in(asker, mail)
    else:
        await stage.buying.ask_refund(order, asker.reason)
    if asker.finding is not None:
        [case] = await stage.buying.cases(order)
        await stage.buying.find(case["case_id"], asker.finding)
    kind = ".refund" if asker.approved else ".denied"

    async def look() -> Email | None:
        found = map(email, await stage.sandbox.mails(to=order.buyer.email))
        return next((one for one in found if one.message_id.partition("@")[0].endswith(kind)), None)

    what = "approves" if asker.approved else "refuses"
    sentence = f"a mail to {asker.name} {what} the refund of order {order.number}"
    return await until(look, sentence, "refunds", "provisioning", "notifications", seconds=_SECONDS)


async def _wait(stage: Stage, asker: Asker, paid: Paid, mail: Email) -> None:
    """Ask while the operator answers without an install state: nothing is decided until it knows."""
    profile = await _profile(stage, mail)
    unknown = {"installState": None, "usedBytes": None}
    match = {"iccid": profile["iccid"]}
    await stage.sandbox.faults({"target": "operator.usage", "effect": "forge", "fields": unknown, "match": match})
    await stage.buying.ask_refund(paid.order, asker.reason)

    async def asked() -> bool | None:
        return any(rule["hits"] for rule in await stage.sandbox.active_faults()) or None

    await until(asked, f"the operator is asked about the eSIM of {asker.name}", "refunds", "provisioning")
    [case] = await stage.buying.cases(paid.order)
    if case["state"] != "observing":
        raise UnmetError(f"expected that the case of {asker.name} waits for the operator, but it is {case['state']}")
    stage.narrator.say(f"{asker.name}'s case waits: the operator does not know whether the code is used.")
    await stage.sandbox.clear_faults()


async def _profile(stage: Stage, mail: Email) -> JsonObject:
    key = str(mail.code).split("$")[2]
    profiles = [*await stage.sandbox.ledger_operator(), *await stage.sandbox.ledger_operator(operator="secondary")]
    return next(one for one in profiles if one["matchingId"] == key)


async def _write(stage: Stage, asker: Asker, paid: Paid) -> None:
    """The conversation with the bot: it asks for what the policy requires, and one message answers one question."""
    updates = (
        "/start",
        paid.order.number,
        asker.reason,
        "There was Wi-Fi everywhere",
        paid.order.buyer.email,
        "Tamar Beridze",
        paid.at.strftime("%d.%m.%Y"),
    )
    for number, words in enumerate(updates, 1):
        await stage.sandbox.telegram_write(_CHAT, words)
        await until(lambda number=number: _said(stage, number), "the bot answers", "refunds", "sandbox")  # type: ignore[misc] # bound


async def _write_by_whatsapp(stage: Stage, asker: Asker, paid: Paid) -> None:
    """The same conversation from the buyer's own number, which Meta vouches for: the sandbox plays Meta."""
    number = _wa_id(asker)
    for count, words in enumerate(
        ("Hello, I want my money back", paid.order.number, asker.reason, "I stay at home", paid.order.buyer.email), 1
    ):
        await stage.sandbox.whatsapp_write(number, words)

        async def answered(count: int = count) -> list[JsonObject] | None:
            said = await stage.sandbox.whatsapp_chat(number)
            return said if len(said) >= count else None

        await until(answered, f"the seller's WhatsApp number answers {asker.name}", "refunds", "sandbox")


def _wa_id(asker: Asker) -> str:
    return asker.phone.removeprefix("+")


async def _fill_in(asker: Asker, mail: Email) -> None:
    """The form of the order's page, which the link of the mail opens; a failure is shown by a picture."""
    async with forms() as page:
        await page.goto(account_link(mail))
        await page.fill("#reason", asker.reason)
        await page.fill("#words", "It happened after I had paid.")
        if asker.finding is not None and mail.picture is not None:
            await page.attach("#refund input[type=file]", "screenshot.png", mail.picture)
        await page.click("#refund button")
        notice = await page.text("section[role=status]")
    wanted = ["We have your request"] + ["We have your files"] * (asker.finding is not None)
    if not all(words in notice for words in wanted):
        raise UnmetError(f"expected that the page takes the request of {asker.name}, but it says “{notice}”", "refunds")


def _own_mail(asker: Asker, paid: Paid) -> bytes:
    """An e-mail to the seller, as the seller's own mail server has received it: it has checked the sender's domain."""
    order, sender = paid.order, paid.order.buyer.email
    mail = EmailMessage()
    domain = sender.partition("@")[2]
    mail["Authentication-Results"] = f"mx.{order.shop.slug}.example; dmarc=pass header.from={domain}"
    mail["From"] = f"{asker.name} Beridze <{sender}>"
    mail["To"] = f"support@{order.shop.slug}.example"
    mail["Subject"] = "My eSIM"
    mail["Message-ID"] = _message_id(asker)
    day = paid.at.strftime("%d.%m.%Y")
    mail.set_content(
        f"Hello,\n\nplease refund order {order.number}. {asker.reason}\nI paid on {day}.\n\n"
        f"My name is {asker.name} Beridze.\n"
    )
    return mail.as_bytes(policy=SMTP)


def _message_id(asker: Asker) -> str:
    return f"<{asker.name.lower()}.asks@buyers.example>"


async def _said(stage: Stage, count: int) -> list[JsonObject] | None:
    messages = await stage.sandbox.telegram_chat(_CHAT)
    return messages if len(messages) >= count else None


def _judge(outcome: Outcome, asker: Asker, answer: Email) -> None:
    for clause in asker.clauses:
        outcome.expect(clause in answer.text, f"the answer to {asker.name} names {clause}", "refunds", "notifications")
    if asker.way == "e-mail":
        sentence = f"the answer to {asker.name} stands in the thread of the buyer's own mail"
        outcome.expect(answer.answers == _message_id(asker), sentence, "refunds", "notifications")
    if not asker.approved:
        outcome.expect("appeal" in answer.text, f"the refusal tells {asker.name} how to appeal", "refunds")


async def _money(stage: Stage, outcome: Outcome, bought: Sequence[Paid]) -> None:
    """The bank returned what was approved, whole, and nothing else."""
    for asker, paid in zip(ASKERS, bought, strict=True):
        if asker.approved:
            await stage.reaches(paid.order, "refunded")
            outcome.refunded += 1
        transaction = await stage.sandbox.transaction(paid.invoice_id) or {}
        back = paid.order.price.amount if asker.approved else 0
        sentence = f"the bank returned {back} of the price to {asker.name}"
        outcome.expect(transaction.get("refunded") == back, sentence, "payments", "refunds")


async def _codes(stage: Stage, outcome: Outcome, mails: Sequence[Email]) -> None:
    """What was paid back works no longer; what was not paid back still does."""
    for asker, mail in zip(ASKERS, mails, strict=True):
        if asker.approved:
            await until(
                lambda mail=mail: _gone(stage, mail),  # type: ignore[misc] # bound
                f"the code of {asker.name} works no longer",
                "provisioning",
            )
        elif not asker.installs:
            outcome.expect(not await _gone(stage, mail), f"the code of {asker.name} still works", "provisioning")


async def _gone(stage: Stage, mail: Email) -> bool | None:
    key = str(mail.code).split("$")[2]
    profiles = [*await stage.sandbox.ledger_operator(), *await stage.sandbox.ledger_operator(operator="secondary")]
    states = [one["state"] for one in profiles if one["matchingId"] == key]
    return not CONFIRMED.intersection(states) or None


async def _chat(stage: Stage, outcome: Outcome) -> None:
    """The answers came into the chats too."""
    [by_whatsapp] = [asker for asker in ASKERS if asker.way == "WhatsApp"]

    async def by_telegram() -> bool | None:
        return any("approved" in one["text"] for one in await stage.sandbox.telegram_chat(_CHAT)) or None

    async def refused() -> bool | None:
        chat = await stage.sandbox.whatsapp_chat(_wa_id(by_whatsapp))
        return any("/appeal" in one["text"] for one in chat) or None

    for look, what in (
        (by_telegram, "the bot tells the answer in the chat"),
        (refused, f"WhatsApp tells {by_whatsapp.name} the answer, and how to appeal"),
    ):
        try:
            await until(look, what, "refunds", "sandbox")
        except UnmetError as unmet:
            outcome.failed(str(unmet), *unmet.logs)
