"""What every act works with: the running stack, the buyers, the sandbox, the narrator."""

import asyncio
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from local_stack.paths import shops_dir
from local_stack.product import CASH_REGISTERS
from local_stack.stack import Stack
from sandbox.client import SandboxClient
from tour.buying import Buying
from tour.emails import Email, email, is_outcome
from tour.expectations import Outcome, until
from tour.ledgers import (
    Books,
    nothing_returned,
    one_capture_each,
    one_mail_each,
    one_profile_each,
    one_receipt_each,
)
from tour.narrator import Narrator
from tour.orders import Order, Paid

#: The acts order there but for the one with kill -9, because a killed service needs longer than this to come back.
IMPATIENT_SHOP = "esimka"
DEADLINE_SECONDS = 4
_SETTLED_SECONDS = 60.0
#: What may be broken for minutes or a day elsewhere: nobody wants to wait for that here.
_SOON = dict.fromkeys(
    (
        "paid_without_outcome",
        "code_not_delivered",
        "failed_without_case",
        "surplus_without_case",
        "receipt_missing",
        "erasure_unconfirmed",
    ),
    3,
)


def environment(shops: Path) -> Mapping[str, Mapping[str, str]]:
    """What the tour's stack gets besides what every local stack gets. `shops`: the folder that provisioning reads."""
    return {
        "sandbox": {"SANDBOX_WEBHOOK_LONGEST_RETRY_SECONDS": "2"},
        "operations": {"EVALUATION_SECONDS": "1", "INVARIANT_SECONDS": json.dumps(_SOON)},
        "refunds": {"OBSERVATION_RETRY_SECONDS": "1"},
        "provisioning": {"SHOPS_DIR": str(shops)},
    }


def impatient_shops(folder: Path) -> Path:
    """A copy of the shops in this folder, in which one shop's buyers do not wait for the operator."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(shops_dir(), folder)
    with (folder / IMPATIENT_SHOP / "shop.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n[deadlines]\ndelivery_seconds = {DEADLINE_SECONDS}\n")
    return folder


@dataclass
class Stage:
    """Made once the stack is ready."""

    stack: Stack
    buying: Buying
    sandbox: SandboxClient
    narrator: Narrator
    folder: Path
    _addresses: list[str] = field(default_factory=list, init=False)
    _earlier: frozenset[str] = field(default=frozenset(), init=False)

    def address(self, name: str) -> str:
        """A mailbox that nobody else has."""
        self._addresses.append(f"{name.lower()}.{len(self._addresses) + 1}@example.org")
        return self._addresses[-1]

    async def books(self) -> Books:
        """All ledgers, now; of the mails those that bring a code or a refund."""
        mail = await self.sandbox.ledger_mail()
        mails = [one for one in mail["messages"] if is_outcome(one["message_id"])]
        return Books(await self.sandbox.ledger_bank(), await self.sandbox.ledger_operator(), mails)

    async def begin(self) -> Books:
        """All ledgers before an act. Mails that an earlier act's buyers get from now on are not this act's."""
        self._earlier = frozenset(self._addresses)
        return await self.books()

    async def news(self, before: Books) -> Books:
        """What this act has brought."""
        books = (await self.books()).since(before)
        mails = [one for one in books.mails if one["to"][0] not in self._earlier]
        return Books(books.transactions, books.profiles, mails)

    async def mail_to(self, order: Order, *, seconds: float = 30.0) -> Email:
        """The first mail with a code or a refund to the buyer of this order. Raises UnmetError."""

        async def look() -> Email | None:
            found = map(email, await self.sandbox.mails(to=order.buyer.email, limit=10))
            return next((one for one in found if is_outcome(one.message_id)), None)

        sentence = f"a mail comes to the buyer of order {order.number}"
        return await until(look, sentence, "notifications", "provisioning", "payments", seconds=seconds)

    async def reaches(self, order: Order, status: str, *, seconds: float = _SETTLED_SECONDS) -> None:
        """Wait until the shop sees this status. Raises UnmetError."""

        async def look() -> bool | None:
            return await self.buying.status(order) == status or None

        sentence = f"order {order.number} becomes “{status}”"
        await until(look, sentence, "ordering", seconds=seconds, every=0.1)

    async def check_delivered(self, outcome: Outcome, paid: Sequence[Paid], before: Books) -> Books:
        """Judge delivered orders by all ledgers; `before` holds what was there already. Returns what is new."""
        books = await self.news(before)
        first, ours = min((one["id"] for one in books.mails), default=1), {one["id"] for one in books.mails}
        mails = [mail for mail in await self.sandbox.mails(after=first - 1) if mail["id"] in ours]
        emails = [email(mail) for mail in mails]
        outcome.expect_nothing(one_capture_each(books, paid), "payments")
        outcome.expect_nothing(nothing_returned(books), "payments", "refunds")
        outcome.expect_nothing(await asyncio.to_thread(one_profile_each, books, paid, emails), "provisioning")
        outcome.expect_nothing(one_mail_each(books, paid), "notifications")
        await self._check_receipts(outcome, [one.order for one in paid if one.order.shop.slug in CASH_REGISTERS])
        return books

    async def _check_receipts(self, outcome: Outcome, orders: Sequence[Order]) -> None:
        """Nobody waits for a receipt, so some may still be coming. Raises UnmetError."""
        numbers = {order.number for order in orders}

        async def issued() -> bool | None:
            return numbers <= {one["externalOrderNumber"] for one in await self.sandbox.ledger_cashbox()} or None

        sentence = "the cash register issues a receipt for each order of its shop"
        await until(issued, sentence, "payments", "sandbox", seconds=_SETTLED_SECONDS)
        outcome.expect_nothing(one_receipt_each(await self.sandbox.ledger_cashbox(), orders), "payments")
        outcome.expect(not await self.sandbox.cashbox_violations(), "the cash register is asked in turns", "payments")
