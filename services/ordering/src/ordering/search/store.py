"""SQL of the search. Each way of finding reads an index; `OFFSET 0` makes Postgres look buyers' orders up by theirs."""

from typing import Any

from ordering.search.models import MOST_FOUND, FoundContact, FoundOrder, FoundOrders, Wanted
from shared.contracts import Money
from shared.database import Tx

#: A name that more buyers have than this has to be given with more words.
_MOST_NAMESAKES = 1000
#: The shops that have orders, each read once from the index of orders by shop.
_SHOPS = """
WITH RECURSIVE shops AS (
  (SELECT storefront FROM orders ORDER BY storefront LIMIT 1)
  UNION ALL
  SELECT (SELECT o.storefront FROM orders o WHERE o.storefront > s.storefront ORDER BY o.storefront LIMIT 1)
  FROM shops s WHERE s.storefront IS NOT NULL)
"""
_OF_BUYER = "SELECT o.order_id FROM {} b CROSS JOIN LATERAL (SELECT order_id FROM orders WHERE buyer_id = b.buyer_id"
_NAMES = " || ".join(f"plainto_tsquery('simple', :name_{number})" for number in range(4))
_WAYS = {
    "id": "SELECT order_id FROM orders WHERE order_id = :id",
    "number": "SELECT order_id FROM orders WHERE number = :number",
    "iccid": """SELECT order_id FROM orders WHERE iccid = :iccid
      UNION SELECT order_id FROM esims WHERE iccid = :iccid AND order_id IS NOT NULL""",
    "mailbox": _OF_BUYER.format(
        """shops s CROSS JOIN LATERAL
      (SELECT buyer_id FROM buyers WHERE storefront = s.storefront AND mailbox_key = :mailbox OFFSET 0)"""
    )
    + " OFFSET 0) o",
    "phones": _OF_BUYER.format("(SELECT buyer_id FROM buyers WHERE phone = ANY(CAST(:phones AS text[])) OFFSET 0)")
    + " OFFSET 0) o",
    "companies": _OF_BUYER.format(
        """(SELECT buyer_id FROM buyers
      WHERE company IS NOT NULL AND company ->> 'number' = ANY(CAST(:companies AS text[])) OFFSET 0)"""
    )
    + " OFFSET 0) o",
    "name_1": _OF_BUYER.format(
        f"""(SELECT buyer_id FROM buyers
      WHERE company IS NOT NULL AND to_tsvector('simple', company ->> 'name') @@ ({_NAMES}) LIMIT {_MOST_NAMESAKES})"""
    )
    + " OFFSET 0) o",
    "name_0": _OF_BUYER.format(
        f"(SELECT buyer_id FROM buyers WHERE to_tsvector('simple', name) @@ ({_NAMES}) LIMIT {_MOST_NAMESAKES})"
    )
    + " OFFSET 0) o",
}
_ROWS = f"""
SELECT o.order_id, o.number, o.storefront, o.buyer_id, o.kind, o.plan ->> 'title' AS plan_title, o.price, o.currency,
  o.placed_at, s.status, h.order_id IS NOT NULL AS held, b.buyer_id IS NULL AS erased, b.name, b.email, b.phone,
  b.language, b.company, b.blocked, COALESCE(b.proved_email = b.email, false) AS proved
FROM found f JOIN orders o USING (order_id) LEFT JOIN order_statuses s USING (order_id)
  LEFT JOIN holds h ON h.order_id = o.order_id AND h.decision IS NULL LEFT JOIN buyers b USING (buyer_id)
ORDER BY o.placed_at DESC, o.order_id DESC LIMIT {MOST_FOUND + 1}
"""


async def find_orders(tx: Tx, wanted: Wanted) -> FoundOrders:
    """The newest orders that any reading of the text names."""
    if wanted.is_nothing:
        return FoundOrders(orders=[], more=False)
    values: dict[str, Any] = {
        "id": wanted.reference.order_id,
        "number": wanted.reference.number,
        "iccid": wanted.iccid,
        "mailbox": wanted.mailbox,
        "phones": list(wanted.phones) or None,
        "companies": list(wanted.companies) or None,
    }
    if wanted.names:
        values |= {f"name_{number}": wanted.names[min(number, len(wanted.names) - 1)] for number in range(4)}
    given = {name: value for name, value in values.items() if value is not None}
    ways = " UNION ".join(f"({sql})" for name, sql in _WAYS.items() if name in given)
    rows = (await tx.execute(f"{_SHOPS}, found AS MATERIALIZED ({ways}) {_ROWS}", **given)).all()
    return FoundOrders(orders=[_order(row) for row in rows[:MOST_FOUND]], more=len(rows) > MOST_FOUND)


def _order(row: Any) -> FoundOrder:
    contact = None
    if not row.erased:
        contact = FoundContact(
            name=row.name,
            email=row.email,
            phone=row.phone,
            language=row.language,
            company=row.company,
            blocked=row.blocked,
            proved=row.proved,
        )
    return FoundOrder(
        order_id=row.order_id,
        order_number=str(row.number),
        storefront=row.storefront,
        buyer_id=row.buyer_id,
        kind=row.kind,
        plan_title=row.plan_title,
        price=Money(amount=row.price, currency=row.currency),
        placed_at=row.placed_at,
        status=row.status,
        held=row.held,
        contact=contact,
    )
