"""The judge: only what bank, operator and mail server wrote down counts."""

import asyncio
import base64
import io
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypedDict, cast

import zxingcpp
from PIL import Image

from product.running import NAMES, Product
from product.shop import Order, Shop
from sandbox.client import SandboxClient
from shared.testing.documents import JsonObject

PATIENCE_SECONDS = 60.0
#: Where phones download: the two SM-DP+ and the reseller's.
ADDRESSES = {"smdp.sandbox.example", "secondary.smdp.sandbox.example", "lpa.airalo.sandbox.example"}
#: As the mail server shows it: headers, text, html, attachments.
Mail = JsonObject


class BankRefund(TypedDict):
    """A refund in the bank's ledger; the amount in minor units."""

    amount: int
    externalID: str


class Charge(TypedDict):
    """A transaction of the bank's ledger: what tests read of it. Amounts in minor units."""

    invoiceID: str
    secretHash: str
    email: str
    captured: int
    refunded: int
    refunds: list[BankRefund]


class Profile(TypedDict):
    """A profile of an operator's ledger, or an eSIM of the reseller's: what tests read of it."""

    operator: str
    iccid: str
    matchingId: str
    state: str
    totalBytes: int
    calls: list[JsonObject]


class Judge:
    """Compares the ledgers as they were when the test began with what they say in the end."""

    def __init__(self, product: Product, sandbox: SandboxClient, shop: Shop) -> None:
        self._product = product
        self._sandbox = sandbox
        self._shop = shop
        self._known: set[str] = set()

    async def begin(self) -> None:
        """Whatever the operators have now belongs to others."""
        self._known = {profile["iccid"] for profile in await self._everywhere()}

    async def new_profiles(self) -> list[Profile]:
        """What this test made the operators do, all of them."""
        return [one for one in await self._everywhere() if one["iccid"] not in self._known]

    async def _everywhere(self) -> list[Profile]:
        """The reseller's eSIMs as well; one that it took back counts as cancelled."""
        resold = (await self._sandbox.ledger_airalo())["sims"]
        states = {"RECYCLED": "cancelled"}
        sims = [one | {"operator": "reseller", "state": states.get(one["status"], "released")} for one in resold]
        return cast("list[Profile]", [*await self._sandbox.ledger_operator(), *sims])

    async def charges(self, order: Order) -> list[Charge]:
        """All transactions of this buyer in which money was captured."""
        ledger = cast("list[Charge]", await self._sandbox.ledger_bank())
        return [one for one in ledger if one["email"] == order.buyer.email and one["captured"]]

    async def delivered(
        self, orders: Sequence[Order], *, copies: int = 0, patience: float = PATIENCE_SECONDS
    ) -> list[Profile]:
        """Every order was paid once, has one profile, and its QR code came in one mail.

        Returns the profiles. So many `copies` of a mail may have come on top: SMTP cannot tell.
        """
        await self._mailed(orders, patience)
        await self.quiet(patience)
        await self.statuses(orders, "delivered", patience)
        every = await self.new_profiles()
        profiles = {one["matchingId"]: one for one in every if one["state"] != "cancelled"}
        held: list[Profile] = []
        for order in orders:
            await self._paid_once(order, refunded=0)
            mails = await self._one_message(order)
            copies -= len(mails) - 1
            code = matching_id(mails[0])
            assert code in profiles, f"order {order.number} got {code}, and there are: {held}; {every}"
            held.append(profiles.pop(code))
        assert copies >= 0, "more mails came twice than may"
        assert Counter(one["state"] for one in held) == {"released": len(orders)}
        assert len({one["iccid"] for one in held}) == len(orders)
        assert not profiles, f"profiles that nobody was given: {list(profiles.values())}"
        return held

    async def refunded(
        self,
        orders: Sequence[Order],
        *,
        copies: int = 0,
        beside: Sequence[Profile] = (),
        patience: float = PATIENCE_SECONDS,
    ) -> list[Mail]:
        """Every order was paid once and refunded once, has no usable profile, and a mail said so. Returns the mails.

        `beside`: profiles of other orders of this test.
        """
        await self._mailed(orders, patience)
        await self.quiet(patience)
        await self.statuses(orders, "refunded", patience)
        others = {one["iccid"] for one in beside}
        usable = [
            one for one in await self.new_profiles() if one["state"] != "cancelled" and one["iccid"] not in others
        ]
        assert not usable, f"profiles of refunded orders: {usable}"
        mails_of_orders = []
        for order in orders:
            charge = await self._paid_once(order, refunded=order.price)
            assert len(charge["refunds"]) == 1, charge
            mails = await self._one_message(order)
            copies -= len(mails) - 1
            assert not _pictures(mails[0])
            mails_of_orders.append(mails[0])
        assert copies >= 0, "more mails came twice than may"
        return mails_of_orders

    async def quiet(self, patience: float = PATIENCE_SECONDS) -> None:
        """Nothing is left to do in any service, and nothing was put aside."""

        async def left() -> str:
            return "; ".join(filter(None, [await self._product.left(name) for name in NAMES]))

        await until(left, patience)

    async def put_aside(self, expected: Mapping[str, int]) -> None:
        """Wait until each service has put so many records aside."""

        async def others() -> str:
            found = {name: len(await self._product.dead_letters(name)) for name in expected}
            return "" if found == expected else f"{found} dead letters, not {expected}"

        await until(others)

    async def _mailed(self, orders: Sequence[Order], patience: float) -> None:
        addresses = {order.buyer.email for order in orders}

        async def missing() -> str:
            ledger = await self._sandbox.ledger_mail()
            reached = {
                address for mail in ledger["messages"] if is_outcome(mail["message_id"]) for address in mail["to"]
            }
            left = sum(address not in reached for address in addresses)
            return f"{left} of {len(addresses)} buyers have no mail" if left else ""

        await until(missing, patience)

    async def statuses(self, orders: Sequence[Order], wanted: str, patience: float = PATIENCE_SECONDS) -> None:
        """Ordering says this of every order."""

        async def others() -> str:
            statuses = Counter([await self._shop.status(order) for order in orders])
            return "" if set(statuses) == {wanted} else str(statuses)

        await until(others, patience)

    async def _paid_once(self, order: Order, *, refunded: int) -> Charge:
        [charge] = await self.charges(order)
        assert charge["captured"] == order.price, charge
        assert charge["refunded"] == refunded == sum(one["amount"] for one in charge["refunds"]), charge
        assert charge["invoiceID"] in order.invoices
        return charge

    async def _one_message(self, order: Order) -> list[JsonObject]:
        """All copies of the one mail by which this buyer got the code or heard of the refund."""
        every = await self._sandbox.mails(to=order.buyer.email)
        mails = [mail for mail in every if is_outcome(header(mail, "Message-ID"))]
        assert len({header(mail, "Message-ID") for mail in mails}) == 1, [header(mail, "Subject") for mail in mails]
        return mails


def is_outcome(message_id: str) -> bool:
    """Whether a mail brings the code or a refund; others, such as receipts, say how things stand."""
    return message_id.partition("@")[0].endswith((".qr", ".refund"))


def header(mail: JsonObject, name: str) -> str:
    """The first header of that name, however the interface lists them."""
    pairs = mail["headers"].items() if isinstance(mail["headers"], dict) else mail["headers"]
    return next((str(value) for key, value in pairs if key.lower() == name.lower()), "")


def qr_text(mail: JsonObject) -> str:
    """What an independent reader sees in the mail's one picture."""
    [picture] = _pictures(mail)
    [found] = zxingcpp.read_barcodes(Image.open(io.BytesIO(picture)))
    return str(found.text)


def matching_id(mail: JsonObject) -> str:
    """Which profile the code in the mail opens."""
    start, address, identity = qr_text(mail).split("$")
    assert start == "LPA:1"
    assert address in ADDRESSES
    return identity


def _pictures(mail: JsonObject) -> list[bytes]:
    return [
        base64.b64decode(one["content_base64"])
        for one in mail["attachments"]
        if one["content_type"].startswith("image/")
    ]


async def until(problem: Callable[[], Awaitable[str]], patience: float = PATIENCE_SECONDS) -> None:
    """Wait until there is no problem any more. Raises AssertionError with the last one."""
    deadline = time.monotonic() + patience
    while found := await problem():
        assert time.monotonic() < deadline, f"after {patience} s: {found[:2000]}"
        await asyncio.sleep(0.05)
