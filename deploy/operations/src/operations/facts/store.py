"""Upserts whose result does not depend on the sequence of facts: each column says how it is merged (tables.py)."""

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
    """Merge rows of the same columns into the table, in one statement. Rows with the same key are merged first."""
    keys = tuple(column.name for column in table.primary_key)
    merged: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        key = tuple(row[name] for name in keys)
        earlier = merged.get(key)
        if earlier is None:
            merged[key] = dict(row)
        else:
            _join(table, earlier, row)
    if not merged:
        return
    columns = tuple(next(iter(merged.values())))
    # Rows are locked in key order, so two batches never wait for each other in a circle.
    rows_in_order = [merged[key] for key in sorted(merged, key=_order)]
    await tx.insert(table, rows_in_order, on_conflict=_on_conflict(table, keys, columns))


def _order(key: tuple[Any, ...]) -> tuple[Any, ...]:
    """UUIDs by number: comparing the objects costs several times as much."""
    return tuple(part.int if isinstance(part, UUID) else part for part in key)


def _join(table: Table, kept: dict[str, Any], row: Mapping[str, Any]) -> None:
    for name, value in row.items():
        if value is None or kept[name] == value:
            continue
        how = table.c[name].info.get("merge", "first")
        if kept[name] is None or (how == "least" and value < kept[name]) or (how == "greatest" and value > kept[name]):
            kept[name] = value


@lru_cache(maxsize=256)
def _on_conflict(table: Table, keys: tuple[str, ...], columns: tuple[str, ...]) -> str:
    changes = [
        f"{name} = {_SQL[table.c[name].info.get('merge', 'first')].format(table=table.name, column=name)}"
        for name in columns
        if name not in keys
    ]
    return f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {', '.join(changes)}"
