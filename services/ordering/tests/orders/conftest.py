"""Orders put straight into ordering's database, and what a naive model says about lists of them."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from ordering.orders.models import Filters
from ordering.tables import buyers, orders, submissions
from ordering.timeline import StatusKeeper, record
from ordering.timeline.models import Fact, RecordedFact, Status
from ordering.timeline.rules.status import facts_in_force, status
from shared.database import Database, Tx
from shared.ids import uuid7
from shared.testing.databases import drop_database, new_database
from shared.testing.facts import PLAN

SHOPS, PLANS = ("esimka", "e-sim-onl"), ("tr-5gb-30d", "eu-1gb-7d", "ge-3gb-15d")
MAILBOXES = ("anna@example.org", "bela@example.org", "carl@example.org")
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
#: What may have happened; the last ones end or reopen one another.
STORIES: Sequence[Sequence[tuple[Fact, str]]] = (
    (),
    ((Fact.PAYMENT_FAILED, "1"),),
    ((Fact.ORDER_PAID, ""),),
    ((Fact.ORDER_PAID, ""), (Fact.PROFILE_GENERATED, ""), (Fact.QR_DELIVERED, "email")),
    ((Fact.QR_DELIVERED, "email"), (Fact.REFUND_REQUESTED, "c")),
    ((Fact.QR_DELIVERED, "email"), (Fact.REFUND_REQUESTED, "c"), (Fact.REFUND_DENIED, "c/later")),
)


@dataclass(frozen=True)
class Seeded:
    """An order of the naive model."""

    order_id: UUID
    number: int
    storefront: str
    plan: str
    placed_at: datetime
    mailbox: str
    submission_id: str
    status: Status


class Orders:
    """A database of ordering, and the orders that are in it."""

    def __init__(self, url: str) -> None:
        self.database = Database(url, pool_size=2)
        self.database.participants.append(StatusKeeper())
        self.seeded: list[Seeded] = []

    async def seed(self, count: int, chance: random.Random) -> None:
        """Insert orders of two shops, many of them placed at the same moment, in any sequence."""
        async with self.database.transaction() as tx:
            for _ in range(count):
                self.seeded.append(await self.place(tx, chance))

    async def place(self, tx: Tx, chance: random.Random) -> Seeded:
        """Insert one order, and what happened to it."""
        order_id, buyer_id = uuid7(), uuid7()
        shop, plan, mailbox = chance.choice(SHOPS), chance.choice(PLANS), chance.choice(MAILBOXES)
        placed_at = NOON + timedelta(minutes=chance.randrange(40))
        submission = chance.choice([f"cart-{order_id}", f"1000{chance.randrange(10**6)}-{order_id}"])
        await tx.insert(buyers, [_buyer(buyer_id, shop, mailbox)])
        [inserted] = await tx.insert(orders, [_order(order_id, buyer_id, shop, plan, placed_at)], returning="number")
        key = {"storefront": shop, "submission_id": submission, "body_hash": b"", "order_id": order_id}
        await tx.insert(submissions, [key])
        story = chance.choice(STORIES)
        facts = [RecordedFact(fact, NOON + timedelta(hours=at), ref) for at, (fact, ref) in enumerate(story)]
        await record(tx, [(order_id, fact) for fact in facts])
        derived = status(facts_in_force((fact.fact, fact.ref, fact.at) for fact in facts))
        return Seeded(order_id, inserted.number, shop, plan, placed_at, mailbox, submission, derived)

    def expected(self, storefront: str, filters: Filters) -> list[UUID]:
        """The ids of a whole list, as the naive model has them."""
        listed = [
            order
            for order in self.seeded
            if order.storefront == storefront
            and (filters.status is None or order.status is filters.status)
            and (filters.plan is None or order.plan == filters.plan)
            and (filters.since is None or order.placed_at >= filters.since)
            and (filters.until is None or order.placed_at < filters.until)
            and (filters.mailbox is None or order.mailbox == filters.mailbox)
            and (filters.text is None or _names(filters, order))
        ]
        ordered = sorted(listed, key=lambda order: (order.placed_at, order.order_id), reverse=True)
        return [order.order_id for order in ordered]


def _names(filters: Filters, order: Seeded) -> bool:
    return filters.text in {str(order.number), str(order.order_id), order.submission_id} or (
        filters.text_mailbox == order.mailbox
    )


def _buyer(buyer_id: UUID, storefront: str, mailbox: str) -> dict[str, object]:
    return {
        "buyer_id": buyer_id,
        "storefront": storefront,
        "email_key": str(buyer_id),
        "mailbox_key": mailbox,
        "name": "Anna",
        "email": mailbox.upper(),
        "phone": "+77011234567",
        "language": "en",
        "newsletter": False,
        "updated_at": NOON,
    }


def _order(order_id: UUID, buyer_id: UUID, storefront: str, plan: str, placed_at: datetime) -> dict[str, object]:
    return {
        "order_id": order_id,
        "storefront": storefront,
        "buyer_id": buyer_id,
        "kind": "esim",
        "iccid": None,
        "plan": PLAN.model_dump(mode="json") | {"id": plan},
        "price": 990,
        "currency": "USD",
        "offer_version": "1",
        "privacy_version": "1",
        "placed_at": placed_at,
        "trace": None,
    }


@pytest.fixture
def database_url() -> Iterator[str]:
    url = new_database("ordering")
    yield url
    drop_database(url)
