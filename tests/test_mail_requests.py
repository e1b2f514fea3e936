"""A buyer writes to the shop: money goes back by e-mail alone, once, also when refunds is killed amid a mail."""

import json

from product.faults import died, restart, start_again
from product.harness import Running
from product.judge import until
from product.shop import Order
from shared.testing.documents import JsonObject

MAILBOX = "support@esimka.example"
TAKEN = "EsimFulfilmentTaken"


def mail(order: Order, text: str, to: str = MAILBOX, **headers: str) -> bytes:
    """A mail of the buyer's, as the shop's own server has received it."""
    domain = order.buyer.email.partition("@")[2]
    fields = {
        "Authentication-Results": f"mx.esimka.example; dmarc=pass header.from={domain}",
        "From": f"Zhanar Kanareika <{order.buyer.email}>",
        "To": to,
        "Content-Type": "text/plain; charset=utf-8",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return ("".join(f"{name}: {value}\r\n" for name, value in fields.items()) + f"\r\n{text}\r\n").encode()


async def taken(running: Running, count: int) -> None:
    async def missing() -> str:
        flags = [one["flags"] for one in await running.sandbox.mailbox(MAILBOX)]
        return "" if sum(TAKEN in one for one in flags) >= count else f"{flags} of {count} mails are marked"

    await until(missing)


async def answer(running: Running, order: Order, kind: str) -> JsonObject:
    """Our mail of this kind to the buyer: its header fields."""
    found: list[JsonObject] = []

    async def missing() -> str:
        mails = await running.sandbox.mails(to=order.buyer.email)
        found[:] = [one for one in mails if f".{kind}@" in one["message_id"]]
        return "" if found else f"no mail {kind}"

    await until(missing)
    return {name.lower(): value for name, value in found[0]["headers"]}


async def test_money_comes_back_by_mail_alone(running: Running) -> None:
    """RF 4.1-4.3, RF 2.1: refunds dies between the commit and the mark; the mail is read again, and known."""
    # given: a delivered order, and refunds that reads the shop's mailbox and will die when it has stored a mail
    order = await running.shop.buy("esimka")
    await running.judge.statuses([order], "delivered")
    await running.judge.quiet()
    port = (await running.sandbox.client.get("/health")).json()["imap_port"]
    account = {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "username": MAILBOX,
        "password": "sandbox-mailbox",
    }
    mailboxes = json.dumps({"esimka": account})
    before = len(await running.sandbox.mailbox(MAILBOX))
    point = "support_mail.after_commit"
    try:
        await restart(running.product, "refunds", point, SUPPORT_MAILBOXES=mailboxes)
        # when: the buyer asks for the money in a mail
        text = f"Please refund order {order.number}: I changed my mind."
        await running.sandbox.arrive(MAILBOX, mail(order, text, Subject="My eSIM", Message_ID="<one@buyers.example>"))
        await died(running.product, "refunds", point)
        start_again(running.product, "refunds", SUPPORT_MAILBOXES=mailboxes)
        # then: the answer in the same thread says what is missing
        await taken(running, before + 1)
        asked = await answer(running, order, "information")
        assert (asked["in-reply-to"], asked["subject"]) == ("<one@buyers.example>", "Re: My eSIM")
        # when: the buyer replies; then: the money is returned
        reply = mail(
            order,
            "It was on 20.11.2026.",
            to=asked["reply-to"],
            Subject="Re: My eSIM",
            Message_ID="<two@buyers.example>",
            In_Reply_To=asked["message-id"],
        )
        await running.sandbox.arrive(MAILBOX, reply)
        await taken(running, before + 2)
        await running.judge.statuses([order], "refunded")
        await running.judge.quiet()
    finally:
        await restart(running.product, "refunds", SUPPORT_MAILBOXES="{}")
    # then: once, by one case
    [charge] = await running.judge.charges(order)
    assert [one["amount"] for one in charge["refunds"]] == [order.price]
    rows = await running.product.query("refunds", "SELECT channel FROM cases WHERE order_id = %s::uuid", order.id)
    assert rows == [("email",)]
