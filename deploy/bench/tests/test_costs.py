"""A guard of the work per order: it counts, so it does not depend on how busy the machine is.

Of the JSON that an order leaves ANALYZE keeps no statistics: to sort documents takes as long as all other columns.

A limit is what the step costs now, and one call in twelve more. Whoever makes a step cheaper lowers its limit with it.
Whoever needs more (a new column, a new reader) raises it in the same commit, and sees here what an order costs.
"""

import sys
from operator import gt

import psycopg
import pytest
import uvloop

from bench.costs import measure
from bench.submissions import SHOP
from shared.testing.databases import drop_database, new_database

_ORDERS = 100
_SUBMITTED, _CONTACT = f"storefront.{SHOP}.orders", "ordering.buyer-contact"
_PLACED, _PAID = "ordering.order-placed", "payments.order-paid"
_GENERATED, _DELIVERED = "provisioning.profile-generated", "notifications.qr-delivered"
#: Calls and JSON documents read per order; statements and round trips per batch, with BEGIN and COMMIT.
_LIMITS = {
    ("ordering", _SUBMITTED): (1380, 1, 9, 9),
    ("payments", _CONTACT): (180, 1, 5, 5),
    ("notifications", _CONTACT): (213, 1, 7, 7),
    ("refunds", _CONTACT): (175, 1, 4, 4),
    ("payments", _PLACED): (670, 2, 13, 13),
    ("ordering", _PAID): (430, 2, 8, 8),
    ("provisioning", _PAID): (810, 1, 13, 13),
    ("notifications", _PAID): (133, 1, 5, 5),
    ("refunds", _PAID): (217, 1, 8, 8),
    ("ordering", _GENERATED): (250, 1, 7, 7),
    ("notifications", _GENERATED): (685, 1, 11, 11),
    ("refunds", _GENERATED): (185, 1, 5, 5),
    ("ordering", _DELIVERED): (460, 3, 7, 7),
    ("refunds", _DELIVERED): (175, 1, 5, 5),
}
#: JSON columns of tables with rows that have statistics (-1 and null: as many as by default).
_WITH_STATISTICS = """
SELECT a.attrelid::regclass || '.' || a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE a.atttypid = 'jsonb'::regtype AND COALESCE(a.attstattarget, -1) <> 0 AND c.relkind = 'r'
  AND c.relnamespace = 'public'::regnamespace AND pg_relation_size(c.oid) > 0
"""


@pytest.mark.infra
@pytest.mark.skipif(sys.platform != "linux", reason="libpq traces to a file on Linux only")
def test_an_order_costs_no_more_than_it_did() -> None:
    made: list[str] = []

    def database(service: str) -> str:
        made.append(new_database(service))
        return made[-1]

    analysed: list[str] = []
    try:
        costs = uvloop.run(measure(database, orders=_ORDERS, rounds=3, count=True))
        for url in made:
            with psycopg.connect(url.replace("+psycopg", "")) as connection:
                analysed += [column for [column] in connection.execute(_WITH_STATISTICS)]
    finally:
        for url in made:
            drop_database(url)
    beyond = {
        step: f"{cost.calls:.0f} calls, {cost.parses:.1f} documents, {cost.statements} statements, {cost.round_trips} "
        f"round trips, and not {_LIMITS[step]}"
        for step, cost in costs.items()
        if any(map(gt, (cost.calls, cost.parses, cost.statements, cost.round_trips), _LIMITS[step]))
    }
    assert not beyond
    assert not analysed
