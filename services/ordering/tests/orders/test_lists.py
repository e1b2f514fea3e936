"""Lists of orders, page by page, against a naive model: every order of the shop once, the newest first."""

import asyncio
import random
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from services.ordering.tests.orders.conftest import MAILBOXES, NOON, PLANS, SHOPS, Orders

from ordering.orders import Cursors
from ordering.orders.actions import read_all, read_page
from ordering.orders.models import Filters, ListedOrder
from ordering.timeline.models import Status

pytestmark = pytest.mark.infra
CURSORS = Cursors(b"a secret of the service")
MOMENTS = st.none() | st.integers(-2, 42).map(lambda minute: NOON + timedelta(minutes=minute))


async def walk(orders: Orders, shop: str, filters: Filters, limit: int) -> list[ListedOrder]:
    """All pages, each asked for with the cursor of the page before."""
    listed: list[ListedOrder] = []
    after = None
    while page := await read_page(orders.database, shop, filters, after, limit):
        assert len(page) <= limit
        listed += page
        after = CURSORS.read(shop, filters, CURSORS.make(shop, filters, page[-1].place))
    return listed


def test_every_order_is_listed_once_under_all_filters(database_url: str) -> None:
    orders = Orders(database_url)
    with asyncio.Runner() as runner:
        runner.run(orders.seed(150, random.Random(7)))  # noqa: S311 - test data, the same in every run

        @settings(max_examples=80, deadline=None)
        @given(
            st.sampled_from(SHOPS),
            st.builds(
                Filters,
                status=st.none() | st.sampled_from(Status),
                plan=st.none() | st.sampled_from(PLANS),
                since=MOMENTS,
                until=MOMENTS,
                mailbox=st.none() | st.sampled_from(MAILBOXES),
            ),
            st.none() | st.sampled_from(orders.seeded),
            st.sampled_from(["number", "order_id", "submission_id", "mailbox"]),
            st.sampled_from([1, 3, 50]),
        )
        def check(shop: str, filters: Filters, named: object, by: str, limit: int) -> None:
            if named is not None:
                text = str(getattr(named, by))
                values = {name: getattr(filters, name) for name in Filters.__slots__} | {"text": text}
                filters = Filters(**values | {"text_mailbox": text if by == "mailbox" else None})
            listed = runner.run(walk(orders, shop, filters, limit))
            assert [order.order_id for order in listed] == orders.expected(shop, filters)

        check()
        runner.run(orders.database.close())


def test_orders_that_arrive_do_not_move_the_pages(database_url: str) -> None:
    orders = Orders(database_url)
    chance = random.Random(8)  # noqa: S311 - test data

    async def scene() -> None:
        await orders.seed(40, chance)
        before = orders.expected("esimka", Filters())
        listed: list[object] = []
        after = None
        while page := await read_page(orders.database, "esimka", Filters(), after, 5):
            listed += [order.order_id for order in page]
            after = page[-1].place
            await orders.seed(5, chance)
        # What arrived may be listed too, where the list had not come yet; nothing is missing, and nothing twice.
        assert [order_id for order_id in listed if order_id in before] == before
        assert len(set(listed)) == len(listed)
        await orders.database.close()

    asyncio.run(scene())


def test_an_export_has_every_order_in_parts(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ordering.orders.actions._EXPORTED_AT_ONCE", 7)
    orders = Orders(database_url)

    async def scene() -> None:
        await orders.seed(60, random.Random(9))  # noqa: S311 - test data
        parts = [part async for part in read_all(orders.database, "esimka", Filters())]
        assert max(map(len, parts)) == 7
        assert [order.order_id for part in parts for order in part] == orders.expected("esimka", Filters())
        await orders.database.close()

    asyncio.run(scene())
