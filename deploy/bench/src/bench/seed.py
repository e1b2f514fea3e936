"""Fills a service's tables with finished orders: copies of the rows that its own orders have left, made set by set.

No table is named here. Each copy gets keys of its own: most random bits of every UUID change and its time stays,
text in a unique index gets a suffix, numbers in one are shifted. So rows that belong together still do, and a new table
is filled without a change here.
"""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

#: What is no order's, or has its own life: tasks, events on their way, instances, dead letters, versions.
_LEFT_OUT = ("work", "outbox", "instances", "dead_letters", "alembic_version", "inbox_days")
_COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, NULL),
  EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND a.attnum = ANY(i.indkey)) AS is_unique
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND c.relname <> ALL(%s)
ORDER BY c.relname, a.attnum
"""
#: The first 19 characters of a UUIDv7 are its milliseconds, its version and 12 random bits.
_UUID = "(left({0}::text, 19) || right(md5({0}::text || copy), 16))::uuid"
_SHIFT = 10**10


async def multiply(admin_url: str, copies: int) -> int:
    """Copy every row so many times; returns the number of new rows. `admin_url`: a superuser's, of this database."""
    if not copies:
        return 0
    async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as connection:
        # Triggers and foreign keys have done their part when the rows that are copied were written.
        await connection.execute("SET session_replication_role = replica")
        tables: dict[str, list[tuple[Any, ...]]] = {}
        for table, *column in await (await connection.execute(_COLUMNS, [list(_LEFT_OUT)])).fetchall():
            tables.setdefault(table, []).append(tuple(column))
        made = 0
        for table, columns in tables.items():
            made += (await connection.execute(_copy(table, columns), {"copies": copies})).rowcount
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
    return made


def _copy(table: str, columns: Sequence[tuple[Any, ...]]) -> sql.Composed:
    names = sql.SQL(", ").join(sql.Identifier(name) for name, _, _ in columns)
    values = sql.SQL(", ").join(_value(*column) for column in columns)
    statement = (
        "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {} CROSS JOIN generate_series(1, %(copies)s)"
    )
    table_name = sql.Identifier(table)
    tail = sql.SQL(" AS copy ON CONFLICT DO NOTHING")
    return sql.SQL(statement).format(table_name, names, values, table_name) + tail


def _value(name: str, kind: str, is_unique: bool) -> sql.Composable:
    column = sql.Identifier(name)
    if kind == "uuid":
        return sql.SQL(_UUID).format(column)
    if is_unique and kind == "text":
        return sql.SQL("{} || '.' || copy").format(column)
    if is_unique and kind in {"bigint", "integer"}:
        return sql.SQL("{} + copy * {}").format(column, sql.Literal(_SHIFT if kind == "bigint" else 1))
    return column
