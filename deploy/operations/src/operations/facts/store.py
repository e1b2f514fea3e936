"""Upserts whose result does not depend on the order of telling: each column says how it is merged (tables.py)."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Table

from shared.database import Tx

_SQL = {
    "first": "COALESCE({table}.{column}, EXCLUDED.{column})",
    "least": "LEAST({table}.{column}, EXCLUDED.{column})",
    "greatest": "GREATEST({table}.{column}, EXCLUDED.{column})",
}


async def merge(tx: Tx, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Merge rows of the same columns into the table, in one statement; also rows of one key among themselves."""
    keys = tuple(column.name for column in table.primary_key)
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        key = tuple(row[name] for name in keys)
        seen = found.get(key)
        if seen is None:
            found[key] = dict(row)
        else:
            _join(table, seen, row)
    if not found:
        return
    columns = tuple(next(iter(found.values())))
    # Rows are locked in key order, so two batches never wait for each other in a circle.
    rows_in_order = [found[key] for key in sorted(found, key=_order)]
    await tx.insert(table, rows_in_order, on_conflict=_on_conflict(table, keys, columns))


def _order(key: tuple[Any, ...]) -> tuple[Any, ...]:
    """UUIDs by number: comparing the objects costs several times as much."""
    return tuple(part.int if isinstance(part, UUID) else part for part in key)


def _join(table: Table, seen: dict[str, Any], row: Mapping[str, Any]) -> None:
    for name, value in row.items():
        if value is None or seen[name] == value:
            continue
        how = table.c[name].info.get("merge", "first")
        if seen[name] is None or (how == "least" and value < seen[name]) or (how == "greatest" and value > seen[name]):
            seen[name] = value


@lru_cache(maxsize=256)
def _on_conflict(table: Table, keys: tuple[str, ...], columns: tuple[str, ...]) -> str:
    changes = [
        f"{name} = {_SQL[table.c[name].info.get('merge', 'first')].format(table=table.name, column=name)}"
        for name in columns
        if name not in keys
    ]
    return f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {', '.join(changes)}"
