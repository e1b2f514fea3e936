"""What every act works with: the running stack, the buyers, the sandbox, the teller."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from local_stack.stack import Stack
from sandbox.client import SandboxClient
from tour.buying import Buying
from tour.expectations import Outcome, until
from tour.ledgers import Books, nothing_returned, one_capture_each, one_mail_each, one_profile_each
from tour.letters import Letter, letter
from tour.orders import Order, Paid
from tour.telling import Teller

#: Acts 1 and 2 order there; act 3 does not, because a killed service needs longer than this to come back.
IMPATIENT_SHOP = "esimka"
DEADLINE_SECONDS = 4
_SETTLED_SECONDS = 60.0


def environment() -> Mapping[str, Mapping[str, str]]:
    """What the tour's stack is told besides what every local stack is told."""
    return {
        "sandbox": {"SANDBOX_WEBHOOK_LONGEST_RETRY_SECONDS": "2"},
        "provisioning": {"STOREFRONT_DEADLINE_SECONDS": json.dumps({IMPATIENT_SHOP: DEADLINE_SECONDS})},
    }


@dataclass
class Stage:
    """Made once the stack is ready."""

    stack: Stack
    buying: Buying
    sandbox: SandboxClient
    teller: Teller
    folder: Path
    _addressed: int = field(default=0, init=False)

    def address(self, name: str) -> str:
        """A mailbox that nobody else has."""
        self._addressed += 1
        return f"{name.lower()}.{self._addressed}@example.org"

    async def books(self) -> Books:
        """All ledgers, now."""
        mail = await self.sandbox.ledger_mail()
        return Books(await self.sandbox.ledger_bank(), await self.sandbox.ledger_operator(), mail["messages"])

    async def mail_to(self, order: Order, *, seconds: float = 30.0) -> Letter:
        """The first mail to the buyer of this order. Raises UnmetError."""

        async def look() -> Letter | None:
            found = await self.sandbox.mails(to=order.buyer.email, limit=1)
            return letter(found[0]) if found else None

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
        books = (await self.books()).since(before)
        first = min((one["id"] for one in books.mails), default=1)
        letters = [letter(mail) for mail in await self.sandbox.mails(after=first - 1)]
        outcome.expect_nothing(one_capture_each(books, paid), "payments")
        outcome.expect_nothing(nothing_returned(books), "payments", "refunds")
        outcome.expect_nothing(await asyncio.to_thread(one_profile_each, books, paid, letters), "provisioning")
        outcome.expect_nothing(one_mail_each(books, paid), "notifications")
        return books
