"""SQL of lists. Each combination of `status` and `plan` reads one index backwards, from the newest order.

`email` and `q` find their orders first, through the indexes of addresses, numbers and ids; the other filters then apply
to these. So no query sorts or counts all orders of a shop. `OFFSET 0` makes Postgres look each of them up by its index:
it would read the whole table instead where it expects many.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from ordering.orders.models import Extras, Filters, KnownEsim, ListedOrder, Observation, Place
from ordering.timeline.models import Reference
from shared.contracts import ProfileObserved
from shared.database import Tx
from shared.values import iccid

_ROWS = """
SELECT o.order_id, o.number, o.kind, o.plan, o.price, o.currency, o.placed_at, o.test, s.status,
  (SELECT k.submission_id FROM submissions k WHERE k.order_id = o.order_id LIMIT 1) AS submission_id,
  COALESCE(o.iccid, (SELECT e.iccid FROM esims e WHERE e.order_id = o.order_id LIMIT 1)) AS iccid
FROM page p JOIN orders o USING (order_id) LEFT JOIN order_statuses s USING (order_id)
ORDER BY o.placed_at DESC, o.order_id DESC
"""
_OF_MAILBOX = """
SELECT o.order_id FROM buyers b CROSS JOIN LATERAL
  (SELECT o.order_id FROM orders o WHERE o.buyer_id = b.buyer_id AND o.storefront = :storefront OFFSET 0) o
WHERE b.storefront = :storefront AND b.mailbox_key = :mailbox
"""
_OF_TEXT = (
    "SELECT k.order_id FROM submissions k WHERE k.storefront = :storefront AND k.submission_id = :text",
    "SELECT o.order_id FROM orders o WHERE o.storefront = :storefront AND o.order_id = :id",
    "SELECT o.order_id FROM orders o WHERE o.storefront = :storefront AND o.number = :number",
    "SELECT e.order_id FROM esims e WHERE e.storefront = :storefront AND e.iccid = :iccid AND e.order_id IS NOT NULL",
    "SELECT o.order_id FROM orders o WHERE o.storefront = :storefront AND o.iccid = :iccid",
    _OF_MAILBOX.replace(":mailbox", ":text_mailbox"),
)


def statement(storefront: str, filters: Filters, after: Place | None, limit: int) -> tuple[str, dict[str, Any]]:
    """The SQL of a page and its parameters."""
    found, values = _found(filters)
    # The index that is read has the columns of these conditions first, and then the time and the id.
    table, plan = ("order_statuses", "t.plan") if filters.status is not None else ("orders", "(t.plan ->> 'id')")
    conditions = {
        "t.storefront = :storefront": storefront,
        "t.status = :status": filters.status and filters.status.value,
        f"{plan} = :plan": filters.plan,
        "t.placed_at >= :since": filters.since,
        "t.placed_at < :until": filters.until,
        "(t.placed_at, t.order_id) < (CAST(:at AS timestamptz), CAST(:after AS uuid))": after and after.placed_at,
    }
    used = [condition for condition, value in conditions.items() if value is not None]
    named = ("storefront", "status", "plan", "since", "until", "at")
    values |= {name: value for name, value in zip(named, conditions.values(), strict=True) if value is not None}
    if after is not None:
        values["after"] = after.order_id
    source = f"{table} t WHERE {' AND '.join(used)}"
    each = "(SELECT t.order_id, t.placed_at FROM {} AND t.{} OFFSET 0) t"
    if found and table == "orders" and filters.text is None:
        # The index of buyers has all that is sorted by, so that only the orders of the page are read.
        found, of_buyer = [], each.format(source, "buyer_id = b.buyer_id")
        source = f"buyers b CROSS JOIN LATERAL {of_buyer} WHERE b.storefront = :storefront AND b.mailbox_key = :mailbox"
    elif found:
        source = f"found f CROSS JOIN LATERAL {each.format(source, 'order_id = f.order_id')}"
    page = (
        f"page AS MATERIALIZED (SELECT t.order_id FROM {source}"
        f" ORDER BY t.placed_at DESC, t.order_id DESC LIMIT {limit})"
    )
    return f"WITH {', '.join([*found, page])}{_ROWS}", values


def _found(filters: Filters) -> tuple[list[str], dict[str, Any]]:
    """The part of the statement that finds the orders of an address or a text, if there is one, and its parameters."""
    values: dict[str, Any] = {}
    sources = []
    if filters.mailbox is not None:
        values["mailbox"] = filters.mailbox
        sources.append(_OF_MAILBOX)
    if filters.text is not None:
        reference = Reference.parse(filters.text)
        values |= {
            name: value
            for name, value in {
                "text": filters.text,
                "id": reference.order_id,
                "number": reference.number,
                "iccid": iccid.read(filters.text),
                "text_mailbox": filters.text_mailbox,
            }.items()
            if value is not None
        }
        possible = [sql for sql in _OF_TEXT if all(f":{name}" not in sql for name in _NAMES - values.keys())]
        sources.append(" UNION ".join(possible))
    if not sources:
        return [], {}
    return [f"found AS MATERIALIZED ({' INTERSECT '.join(f'({source})' for source in sources)})"], values


_NAMES = frozenset({"text", "id", "number", "iccid", "text_mailbox"})


async def find_page(tx: Tx, storefront: str, filters: Filters, after: Place | None, limit: int) -> list[ListedOrder]:
    """The newest orders behind `after` that the filters let through, at most `limit`."""
    sql, values = statement(storefront, filters, after, limit)
    return [
        ListedOrder(
            row.order_id,
            row.number,
            row.submission_id,
            row.kind,
            row.status,
            row.plan,
            row.price,
            row.currency,
            row.placed_at,
            row.iccid,
            row.test,
        )
        for row in await tx.execute(sql, **values)
    ]


#: The newest report stays, by its source's own time. Reports of the same time are ranked by what they say, so that the
#: sequence in which they arrive does not matter. A top-up moves the end of a plan to a later time only.
_INSTALL_IS_NEWER = """(e.install_observed_at IS NULL OR
  (EXCLUDED.install_observed_at, EXCLUDED.install_state) > (e.install_observed_at, e.install_state))"""
_USAGE_IS_NEWER = """(e.usage_observed_at IS NULL OR
  (EXCLUDED.usage_observed_at, COALESCE(EXCLUDED.used_bytes, -1), COALESCE(EXCLUDED.total_bytes, -1)) >
  (e.usage_observed_at, COALESCE(e.used_bytes, -1), COALESCE(e.total_bytes, -1)))"""
_OBSERVE = f"""
INSERT INTO esims AS e
  (iccid, install_state, install_observed_at, used_bytes, total_bytes, usage_observed_at, plan_ends_at)
SELECT * FROM unnest(CAST(:iccids AS text[]), CAST(:states AS text[]), CAST(:state_times AS timestamptz[]),
  CAST(:used AS bigint[]), CAST(:totals AS bigint[]), CAST(:usage_times AS timestamptz[]), CAST(:ends AS timestamptz[]))
ON CONFLICT (iccid) DO UPDATE SET
  install_state = CASE WHEN {_INSTALL_IS_NEWER} THEN EXCLUDED.install_state ELSE e.install_state END,
  install_observed_at = GREATEST(e.install_observed_at, EXCLUDED.install_observed_at),
  used_bytes = CASE WHEN {_USAGE_IS_NEWER} THEN EXCLUDED.used_bytes ELSE e.used_bytes END,
  total_bytes = CASE WHEN {_USAGE_IS_NEWER} THEN EXCLUDED.total_bytes ELSE e.total_bytes END,
  usage_observed_at = GREATEST(e.usage_observed_at, EXCLUDED.usage_observed_at),
  plan_ends_at = GREATEST(e.plan_ends_at, EXCLUDED.plan_ends_at)
"""
_FIND_EXTRAS = """
SELECT (SELECT k.submission_id FROM submissions k WHERE k.order_id = o.order_id LIMIT 1) AS submission_id,
  e.iccid, e.install_state, e.install_observed_at, e.used_bytes, e.total_bytes, e.usage_observed_at, e.valid_until,
  e.plan_ends_at, e.revoked_at, e.expired_at, e.deleted_at
FROM orders o LEFT JOIN LATERAL (
  SELECT * FROM esims e WHERE e.iccid = o.iccid AND e.storefront = o.storefront
  UNION ALL SELECT * FROM esims e WHERE o.iccid IS NULL AND e.order_id = o.order_id LIMIT 1) e ON true
WHERE o.order_id = :order_id
"""


async def record_observations(tx: Tx, events: Sequence[ProfileObserved]) -> None:
    """Keep the newest reports of each eSIM. What no source reported changes nothing."""
    newest: dict[str, Observation] = {}
    for event in events:
        observation = Observation.of(event)
        seen = newest.get(event.iccid)
        newest[event.iccid] = observation if seen is None else seen.merged(observation)
    # One locking order for all instances, so that they do not deadlock.
    ordered = sorted(newest.items())
    if not ordered:
        return
    await tx.execute(
        _OBSERVE,
        iccids=[iccid for iccid, _ in ordered],
        states=[each.install_state for _, each in ordered],
        state_times=[each.install_observed_at for _, each in ordered],
        used=[each.used_bytes for _, each in ordered],
        totals=[each.total_bytes for _, each in ordered],
        usage_times=[each.usage_observed_at for _, each in ordered],
        ends=[each.plan_ends_at for _, each in ordered],
    )


async def find_extras(tx: Tx, order_id: UUID) -> Extras:
    """What `GET /orders/{reference}` shows besides the facts: the shop's own id, and the eSIM if one is known."""
    row = (await tx.execute(_FIND_EXTRAS, order_id=order_id)).one()
    if row.iccid is None:
        return Extras(row.submission_id, None)
    observation = Observation(
        row.install_state,
        row.install_observed_at,
        row.used_bytes,
        row.total_bytes,
        row.usage_observed_at,
        row.plan_ends_at,
    )
    esim = KnownEsim(row.iccid, observation, row.valid_until, row.revoked_at, row.expired_at, row.deleted_at)
    return Extras(row.submission_id, esim)
