"""Orders that wait together share a transaction, and nothing else: each has its own answer, limits and time."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from ordering.catalogue.models import Catalogue
from ordering.holds.models import Limits
from ordering.intake import GroupCommit
from ordering.intake.actions import check
from ordering.intake.models import Accepted, Checked, Refusal, Submission
from shared.database import Tx
from shared.shops.reading import read_shops
from shared.testing.shops import EXAMPLES
from shared.testing.stage import Stage

if TYPE_CHECKING:
    from services.ordering.tests.conftest import OrderBody, Shop

FAULTY, MOST = "e-sim-onl", 2
_WAITS_FOR_A_LOCK = """
SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
"""


def _limits(storefront: str) -> Limits:
    """A fault of ours that the orders of one shop bring about."""
    if storefront == FAULTY:
        raise LookupError(storefront)
    return Limits(orders_by_email=MOST)


class _Transactions:
    """Takes part in every transaction, to count how many brought an order."""

    def __init__(self) -> None:
        self.count = 0

    async def before_commit(self, tx: Tx) -> None:
        self.count += any(outgoing.event.topic == "ordering.order-placed" for outgoing in tx.outgoing)

    def after_commit(self, tx: Tx) -> None:
        """Counted before."""

    def after_rollback(self, tx: Tx) -> None:
        """Counted all the same: it was a transaction."""


@pytest.fixture
def orders(shop: "Shop") -> GroupCommit:
    return GroupCommit(shop.service.database, keep_sessions=timedelta(days=1), limits=_limits)


def _order(good_order: "OrderBody", key: str, storefront: str = "esimka", **changes: object) -> Checked:
    catalogue = Catalogue(read_shops(EXAMPLES), datetime.now(UTC))
    return check(Submission(storefront, key, good_order(storefront, **changes), None), catalogue)


def _other(good_order: "OrderBody", number: int, storefront: str = "esimka", **changes: object) -> Checked:
    contact = {"email": f"x{number}@example.net", "phone": f"+7701123{number:04}"}
    return _order(good_order, f"k{number}", storefront, **{**contact, **changes})


async def test_a_bad_order_harms_none_of_its_group(shop: "Shop", orders: GroupCommit, good_order: "OrderBody") -> None:
    transactions = _Transactions()
    shop.service.database.participants.insert(0, transactions)  # before the one that takes the events
    good = [_other(good_order, number) for number in range(12)]
    invalid = _other(good_order, 12, plan="no-such-plan")

    answers = await asyncio.gather(*map(orders.accept, [*good, invalid]))
    assert transactions.count == 1
    assert [type(answer) for answer in answers] == [Accepted] * 12 + [Refusal]

    faulty = _other(good_order, 20, FAULTY)
    group = [_other(good_order, 21), faulty, _other(good_order, 22), good[0]]
    first, fault, second, repeated = await asyncio.gather(*map(orders.accept, group), return_exceptions=True)
    assert isinstance(fault, LookupError)
    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    assert isinstance(repeated, Accepted)
    assert repeated.replayed
    assert len(await shop.rows("SELECT 1 FROM orders")) == 14


async def test_related_orders_are_counted_one_after_the_other(
    shop: "Shop", orders: GroupCommit, good_order: "OrderBody"
) -> None:
    same_mailbox = [_other(good_order, number, email="one@example.net") for number in range(4)]
    same_key = [_other(good_order, 9) for _ in range(3)]
    answers = await asyncio.gather(*map(orders.accept, [*same_mailbox, *same_key]))
    accepted = [answer for answer in answers if isinstance(answer, Accepted)]
    assert [answer.placed.held for answer in accepted[:4]] == [False, False, True, True]
    assert [answer.replayed for answer in accepted[4:]] == [False, True, True]


async def test_an_order_that_waits_for_a_lock_holds_up_no_other(
    stage: Stage, shop: "Shop", orders: GroupCommit, good_order: "OrderBody"
) -> None:
    async with shop.service.database.reading() as tx:  # ends by a rollback
        await tx.execute(
            "INSERT INTO submissions (storefront, submission_id, body_hash, order_id) VALUES "
            "('esimka', 'k0', '', '00000000-0000-7000-8000-000000000000')"
        )
        waiting = asyncio.create_task(orders.accept(_other(good_order, 0)))
        await stage.eventually(lambda: shop.rows(_WAITS_FOR_A_LOCK))
        for number in (1, 2):
            assert isinstance(await orders.accept(_other(good_order, number)), Accepted)
        assert not waiting.done()
    assert isinstance(await waiting, Accepted)
