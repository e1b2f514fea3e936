"""Remembers which events were applied. (source, id) identifies an event, and it is applied once (invariant I7).

Ids of our own services are UUIDv7 of the present: they are stored in `inbox`, partitioned by the day inside the id. Ids
of other senders are not trusted: shops' records, and ids whose time is far away, are stored in `inbox_by_arrival`, by
the day of their arrival.
"""

from collections.abc import Sequence
from datetime import timedelta
from operator import attrgetter
from typing import Protocol, TypeVar
from uuid import UUID

from shared.database import Tx
from shared.ids import uuid7_floor

#: Days whose partitions exist: `inbox_maintain` makes a week ahead and keeps two.
_OLDEST, _NEWEST = timedelta(days=13), timedelta(days=6)
_VERSION_AT, _VERSION_7 = 76, 7
#: One row: the identities that are new, or null where all of them are, as nearly always. That spares reading them.
_NEW = """
WITH new AS ({insert} ON CONFLICT DO NOTHING RETURNING event_id, source)
SELECT CASE WHEN count(*) < :expected THEN COALESCE(json_agg(json_build_array(event_id, source)), '[]') END FROM new
"""
_REMEMBER = _NEW.format(
    insert="""
INSERT INTO inbox (event_id, source) SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:sources AS text[]))"""
)
_ARRIVED = _NEW.format(
    insert="""
INSERT INTO inbox_by_arrival (event_id, source, arrived_on)
SELECT id, source, :today FROM unnest(CAST(:ids AS uuid[]), CAST(:sources AS text[])) AS n(id, source)"""
)
#: A row without a source was written by an earlier release, which stored ids only.
_OTHERS = """
SELECT event_id, source FROM inbox WHERE event_id = ANY(CAST(:ids AS uuid[])) AND source IS NOT NULL
"""


class Identified(Protocol):
    """An event with its identity."""

    @property
    def id(self) -> UUID: ...

    @property
    def source(self) -> str: ...

    @property
    def outside(self) -> bool: ...


I = TypeVar("I", bound=Identified)  # noqa: E741 - short on purpose


async def unseen(tx: Tx, items: Sequence[I]) -> list[I]:
    """Remember a batch; returns the events that were not applied before. Usually one statement."""
    first, last = uuid7_floor(tx.now - _OLDEST).int, uuid7_floor(tx.now + _NEWEST).int
    ours: list[I] = []
    others: list[I] = []
    for item in items:
        number = item.id.int
        near = first <= number < last and (number >> _VERSION_AT) & 0xF == _VERSION_7
        (ours if near and not item.outside else others).append(item)
    new = await _insert(tx, _REMEMBER, ours)
    if len(new) == len(items):
        return new
    remembered = set(map(_identity, new))
    if taken := [item for item in ours if _identity(item) not in remembered]:
        rows = await tx.execute(_OTHERS, ids=[item.id for item in taken])
        holders = {row.event_id: row.source for row in rows}
        others += [item for item in taken if holders.get(item.id, item.source) != item.source]
    new += await _insert(tx, _ARRIVED, others, today=tx.now.date())
    remembered = set(map(_identity, new))
    return [item for item in items if _identity(item) in remembered]


async def _insert(tx: Tx, sql: str, items: Sequence[I], **parameters: object) -> list[I]:
    """Insert the identities; returns the items that were new."""
    if not items:
        return []
    ordered = sorted(items, key=attrgetter("id.int"))  # all transactions lock in this order
    ids, sources = [item.id for item in ordered], [item.source for item in ordered]
    rows = await tx.execute(sql, ids=ids, sources=sources, expected=len(items), **parameters)
    new = rows.scalar()
    if new is None:
        return list(items)
    identities = {(UUID(event_id).int, source) for event_id, source in new}
    return [item for item in items if _identity(item) in identities]


def _identity(item: Identified) -> tuple[int, str]:
    return item.id.int, item.source


async def forget(tx: Tx, item: Identified) -> None:
    """Remove one identity: its handler failed, and the event is applied again."""
    for table, same in (("inbox", "(source = :source OR source IS NULL)"), ("inbox_by_arrival", "source = :source")):
        await tx.execute(f"DELETE FROM {table} WHERE event_id = :id AND {same}", id=item.id, source=item.source)
