"""Copies of finished orders are orders too: rows that belong together still do, and nothing is there twice."""

import psycopg
import pytest
import uvloop

from bench.seed import multiply
from shared.ids import uuid7
from shared.testing.databases import drop_database, new_database

COPIES = 3
_ORDER = """
WITH b AS (INSERT INTO buyers (buyer_id, storefront, email_key, name, email, phone, language, newsletter, updated_at)
    VALUES (%(buyer)s, 'esimka', 'k', 'Ann', 'ann@example.org', '+77011234567', 'en', false, now())),
  i AS (INSERT INTO inbox (event_id, source) VALUES (%(event)s, '/services/payments')),
  s AS (INSERT INTO submissions VALUES ('esimka', 'key', '', %(order)s))
INSERT INTO orders (order_id, storefront, buyer_id, kind, plan, price, currency, offer_version, privacy_version,
    placed_at) VALUES (%(order)s, 'esimka', %(buyer)s, 'esim', '{"id": "p"}', 100, 'USD', '1', '1', now())
"""
_WHOLE = """
SELECT count(*), count(DISTINCT o.number), count(DISTINCT s.submission_id), (SELECT count(*) FROM inbox)
FROM orders o JOIN buyers USING (buyer_id) JOIN submissions s USING (order_id)
"""


@pytest.mark.infra
def test_each_copy_of_an_order_has_its_own_rows() -> None:
    url = new_database("ordering")
    plain = url.replace("+psycopg", "")
    try:
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(_ORDER, {"buyer": uuid7(), "order": uuid7(), "event": uuid7()})
            uvloop.run(multiply(plain, COPIES))
            assert connection.execute(_WHOLE).fetchone() == (COPIES + 1,) * 4
    finally:
        drop_database(url)
