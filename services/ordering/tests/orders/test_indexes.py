"""Every filter reads an index from the newest order on, however many orders there are."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from ordering.orders.models import Filters, Place
from ordering.orders.store import find_page, statement
from ordering.timeline.models import Status
from shared.database import Database
from shared.ids import uuid7
from shared.testing.documents import JsonObject

pytestmark = pytest.mark.infra
START = datetime(2026, 1, 1, tzinfo=UTC)
#: Set-based. One order a second in two shops: most are delivered, one in 200 is refunded, few are of the plan `rare`;
#: one mailbox has a hundredth of the orders.
_SEED = """
ALTER TABLE orders DISABLE TRIGGER USER;
CREATE TEMP TABLE n AS
SELECT i, gen_random_uuid() AS order_id, gen_random_uuid() AS buyer_id,
  CASE WHEN i % 10 = 0 THEN 'e-sim-onl' ELSE 'esimka' END AS storefront,
  CASE WHEN i % 20000 = 7 THEN 'rare' ELSE 'plan-' || i % 30 END AS plan,
  CASE WHEN i % 200 = 3 THEN 'refunded' WHEN i % 50 = 1 THEN 'lapsed' ELSE 'delivered' END AS status,
  timestamptz '2026-01-01' + make_interval(secs => i) AS placed_at
FROM generate_series(1, {count}) AS i;
INSERT INTO orders
  (order_id, storefront, buyer_id, kind, iccid, plan, price, currency, offer_version, privacy_version, placed_at)
SELECT order_id, storefront, buyer_id, 'esim', CASE WHEN i % 50 = 9 THEN '89' || lpad(i::text, 17, '0') END,
  jsonb_build_object('id', plan, 'title', 'A plan', 'coverage',
  jsonb_build_array('TR'), 'data_mb', 5120, 'validity_days', 30, 'profile_type', 'P1'), 990, 'USD', '1', '1', placed_at
FROM n;
ALTER TABLE orders ENABLE TRIGGER USER;
INSERT INTO order_statuses SELECT order_id, storefront, plan, placed_at, status FROM n;
INSERT INTO submissions SELECT storefront, 'cart-' || i, '', order_id FROM n;
INSERT INTO buyers (buyer_id, storefront, email_key, name, email, phone, language, newsletter, updated_at, mailbox_key)
SELECT buyer_id, storefront, buyer_id::text, 'A', 'a@example.org', '+77011234567', 'en', false, placed_at,
  CASE WHEN i % 100 = 1 THEN 'busy@example.org' ELSE i || '@example.org' END FROM n;
INSERT INTO esims (iccid, order_id, storefront) SELECT '89' || lpad(i::text, 17, '0'), order_id, storefront FROM n;
ANALYZE;
"""
MIDDLE = Place(START + timedelta(seconds=900), uuid7())
QUERIES: Mapping[str, tuple[Filters, Place | None, str]] = {
    "first page": (Filters(), None, "orders_newest"),
    "a later page": (Filters(), MIDDLE, "orders_newest"),
    "from and to": (
        Filters(since=START + timedelta(seconds=300), until=START + timedelta(seconds=900)),
        None,
        "orders_newest",
    ),
    "status, many": (Filters(status=Status.DELIVERED), None, "order_statuses_status"),
    "status, few": (Filters(status=Status.REFUNDED), MIDDLE, "order_statuses_status"),
    "status, none": (Filters(status=Status.HELD), None, "order_statuses_status"),
    "plan": (Filters(plan="plan-7"), None, "orders_plan"),
    "plan, few": (Filters(plan="rare"), None, "orders_plan"),
    "plan and status": (Filters(plan="rare", status=Status.LAPSED), None, "order_statuses_plan"),
    "email": (Filters(mailbox="1234@example.org"), None, "buyers_mailbox"),
    "email, many": (Filters(mailbox="busy@example.org"), MIDDLE, "buyers_mailbox"),
    "email and plan": (Filters(mailbox="busy@example.org", plan="plan-11"), None, "buyers_mailbox"),
    "email and status": (Filters(mailbox="busy@example.org", status=Status.REFUNDED), None, "buyers_mailbox"),
    "number": (Filters(text="10000100"), None, "orders_number"),
    "submission": (Filters(text="cart-1234"), None, "submissions_pkey"),
    "iccid": (Filters(text="8900000000000001234"), None, "esims_pkey"),
    "iccid of top-ups": (Filters(text="8900000000000001234"), None, "orders_iccid"),
}


@pytest.fixture
def few(database_url: str) -> str:
    _seed(database_url, 20_000)
    return database_url


def _seed(url: str, count: int) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(_SEED.format(count=count))


async def _plans(url: str, query: tuple[Filters, Place | None, str], limit: int) -> tuple[JsonObject, float]:
    """The plan of a page as Postgres carried it out, and the milliseconds that `find_page` takes, the median of 21."""
    filters, after, _ = query
    database = Database(url, pool_size=1)
    sql, values = statement("esimka", filters, after, limit)
    async with database.reading() as tx:
        # Often enough that Postgres may choose a plan without the values.
        times = []
        for _ in range(21):
            began = time.perf_counter()
            await find_page(tx, "esimka", filters, after, limit)
            times.append((time.perf_counter() - began) * 1000)
        explained = (await tx.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", **values)).scalar()
    await database.close()
    plan = explained if isinstance(explained, list) else json.loads(explained)
    return plan[0]["Plan"], sorted(times)[10]


def _nodes(plan: JsonObject) -> Iterator[JsonObject]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def _check(name: str, plan: JsonObject, index: str, limit: int) -> None:
    nodes = list(_nodes(plan))
    indexes = {node.get("Index Name") for node in nodes}
    assert index in indexes, f"{name}: {indexes}"
    read_whole = {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"}
    assert read_whole == set(), name
    if name.startswith("email, "):
        # However many orders the mailbox has, only those of the page are read; of the others the index alone.
        of_buyers = [node for node in nodes if node.get("Index Name") == "orders_buyer"]
        assert [node["Node Type"] for node in of_buyers] == ["Index Only Scan"], name
    if index.startswith("order"):
        assert not any("Sort" in node["Node Type"] and node["Actual Rows"] > limit for node in nodes), name
        [read] = [node for node in nodes if node.get("Index Name") == index][:1]
        assert read["Actual Rows"] * read["Actual Loops"] <= limit, f"{name}: reads more than a page"


def test_a_page_reads_an_index_and_no_more_than_a_page(few: str) -> None:
    for name, query in QUERIES.items():
        plan, _ = asyncio.run(_plans(few, query, 51))
        _check(name, plan, query[2], 51)


@pytest.mark.exhaustive
@pytest.mark.timeout(600)
def test_a_page_of_a_million_orders_reads_an_index(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Prints the times; they prove nothing on a machine that others use. What a page reads does."""
    _seed(database_url, 1_000_000)
    for name, query in QUERIES.items():
        plan, milliseconds = asyncio.run(_plans(database_url, query, 51))
        _check(name, plan, query[2], 51)
        with capsys.disabled():
            sys.stdout.write(f"\n  {name}: {milliseconds:.1f} ms")
