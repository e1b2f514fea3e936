"""One transaction for state, outgoing events and new tasks: they are committed together or not at all.

Handlers receive a `Tx` and never commit. What they `publish` or `schedule` is kept in memory, inserted just before the
commit and, right after it, handed to the publisher and the task worker of this process.
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol
from uuid import UUID

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.rows import namedtuple_row
from pydantic import BaseModel
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from shared import silence
from shared.clock import Clock, SystemClock
from shared.contracts.base import Erasure, Event
from shared.contracts.storefront import ShopUpdate
from shared.failpoints import failpoint
from shared.ids import read_uuid, uuid7
from shared.sqlstates import Meaning, meaning

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call] # SQLAlchemy leaves this factory untyped
_PARAMETER = re.compile(r"(?<!:):([a-z_][a-z0-9_]*)")


@dataclass(slots=True)
class Outgoing:
    """An event to publish. `trace` is the W3C traceparent that it continues."""

    event: Event | Erasure | ShopUpdate
    trace: str | None
    id: UUID = field(default_factory=uuid7)

    @property
    def body(self) -> bytes | None:
        """The record's value; None for a tombstone."""
        if isinstance(self.event, ShopUpdate):
            return self.event.value
        return None if isinstance(self.event, Erasure) else self.event.model_dump_json().encode()


@dataclass(slots=True)
class NewWork:
    """A task to insert: one intended effect, named by (kind, key), due at a moment (None: now)."""

    kind: str
    key: str
    payload: BaseModel | Mapping[str, Any]
    due_at: datetime | None
    trace: str | None
    id: UUID = field(default_factory=uuid7)


class Json(str):
    """JSON that is written already, as the value of a JSON column."""

    __slots__ = ()


def as_json(value: Any) -> str | None:
    """The value of a JSON column as text; None is null."""
    return value if value is None or isinstance(value, Json) else json.dumps(value)


class Rows:
    """The result of a statement: named tuples, and the number of rows that it changed."""

    __slots__ = ("_rows", "rowcount")

    def __init__(self, rows: list[Any], rowcount: int) -> None:
        self._rows = rows
        self.rowcount = rowcount

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def all(self) -> list[Any]:
        return self._rows

    def scalars(self) -> list[Any]:
        """The first column of every row."""
        return [row[0] for row in self._rows]

    def scalar(self) -> Any:
        """The first column of the first row, or None."""
        return self._rows[0][0] if self._rows else None

    def first(self) -> Any:
        """The first row, or None."""
        return self._rows[0] if self._rows else None

    def one(self) -> Any:
        """The only row. Raises LookupError when there is none or another."""
        if len(self._rows) != 1:
            raise LookupError(f"{len(self._rows)} rows, expected one")
        return self._rows[0]

    def one_or_none(self) -> Any:
        """The only row, or None. Raises LookupError when there are several."""
        return self.one() if self._rows else None

    def mappings(self) -> list[dict[str, Any]]:
        """Rows by column name."""
        return [row._asdict() for row in self._rows]


class _UuidLoader(Loader):
    """Reads UUIDs from rows; psycopg's own takes twice as long."""

    def load(self, data: Buffer) -> UUID:
        return read_uuid(str(data, "ascii"))


psycopg.adapters.register_loader("uuid", _UuidLoader)


class Tx:
    """An open transaction. `now` is the moment at which everything in it happens."""

    def __init__(self, connection: AsyncConnection, now: datetime) -> None:
        self.connection = connection
        self.now = now
        self._driver: Any = None
        self.outgoing: list[Outgoing] = []
        self.new_work: list[NewWork] = []
        #: What the outbox and the task worker keep from before_commit to after_commit.
        self.carried: dict[str, Any] = {}

    async def execute(self, sql: str, **parameters: Any) -> Rows:
        """Run SQL with `:named` parameters; lists bind to arrays (`= ANY(CAST(:ids AS uuid[]))`).

        Runs on the driver's connection: SQLAlchemy keeps the pool and the transaction, but its layers around each
        statement cost more than the statement itself. Raises psycopg.Error.
        """
        arrays = frozenset(name for name, value in parameters.items() if isinstance(value, list) and _typed(value))
        if self._driver is None:
            self._driver = (await self.connection.get_raw_connection()).driver_connection
        async with self._driver.cursor(row_factory=namedtuple_row) as cursor:
            await cursor.execute(_driver_sql(sql, arrays), parameters)
            rows = await cursor.fetchall() if cursor.description else []
            return Rows(rows, cursor.rowcount)

    async def insert(
        self,
        table: Table,
        rows: Sequence[Mapping[str, Any]],
        *,
        on_conflict: str = "ON CONFLICT DO NOTHING",
        returning: str = "",
        beside: Mapping[Table, Sequence[Mapping[str, Any]]] | None = None,
    ) -> Sequence[Any]:
        """Insert all rows in one statement (`unnest`), whatever their number. All rows have the first row's columns.

        `beside`: rows of other tables, which the same statement inserts; none of them may be there.
        """
        if not rows:
            return []
        columns = tuple(rows[0])
        sql = _insert_sql(table, columns, on_conflict, returning)
        arrays = {f"c{i}": _array(table, name, rows) for i, name in enumerate(columns)}
        parts = []
        for number, (other, others) in enumerate((beside or {}).items()):
            prefix, names = f"t{number}_", tuple(others[0])
            parts.append(f"t{number} AS ({_insert_sql(other, names, '', '', prefix)})")
            arrays |= {f"{prefix}{i}": _array(other, name, others) for i, name in enumerate(names)}
        if parts:
            sql = f"WITH {', '.join(parts)} {sql}"
        result = await self.execute(sql, **arrays)
        return result.all() if returning else []

    async def record_facts(self, table: Table, key: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Upsert columns by key; the first value of each column stays, so order and repetition do not matter."""
        merged: dict[Any, dict[str, Any]] = {}
        for row in rows:
            seen = merged.setdefault(row[key], dict(row))
            seen.update({name: value for name, value in row.items() if seen.get(name) is None})
        if not merged:
            return
        columns = [name for name in next(iter(merged.values())) if name != key]
        keep = ", ".join(f"{name} = COALESCE({table.name}.{name}, EXCLUDED.{name})" for name in columns)
        action = f"ON CONFLICT ({key}) DO UPDATE SET {keep}" if columns else f"ON CONFLICT ({key}) DO NOTHING"
        # Rows are locked in key order, so two batches cannot deadlock.
        await self.insert(table, [merged[k] for k in sorted(merged, key=_order)], on_conflict=action)

    def publish(self, event: Event, *, trace: str | None) -> None:
        """Publish an event: it is inserted into the outbox with this transaction's commit."""
        self.outgoing.append(Outgoing(event, trace))

    def erase(self, event_class: type[Event], key: str, *, trace: str | None) -> None:
        """Publish a tombstone: no service may keep anything about this key of a compacted topic."""
        self.outgoing.append(Outgoing(Erasure(event_class, key), trace))

    def publish_update(self, update: ShopUpdate, update_id: UUID, *, trace: str | None) -> None:
        """Publish an update on its shop's topic, under the id that its webhook has."""
        self.outgoing.append(Outgoing(update, trace, update_id))

    def schedule(
        self,
        kind: str,
        key: str,
        payload: BaseModel | Mapping[str, Any] | None = None,
        *,
        due_at: datetime | None = None,
        trace: str | None = None,
    ) -> None:
        """Create a task; a second one of the same (kind, key) changes nothing. `payload` is the model of this
        kind (`shared.task_payload`) or a JSON object.
        """
        self.new_work.append(NewWork(kind, key, payload or {}, due_at, trace))


class Participant(Protocol):
    """A part of the service that adds rows to a transaction before its commit and acts on them after it."""

    async def before_commit(self, tx: Tx) -> None: ...

    def after_commit(self, tx: Tx) -> None: ...

    def after_rollback(self, tx: Tx) -> None: ...


class Database:
    """A service's own database."""

    def __init__(self, url: str, *, clock: Clock | None = None, pool_size: int = 5) -> None:
        self.clock = clock or SystemClock()
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=5,
            pool_use_lifo=True,  # the connection used last has its statements prepared
            pool_reset_on_return="rollback",
            connect_args={
                "connect_timeout": 5,
                # No transaction may outlive the relay's watermark (messaging/relay.py).
                "options": "-c statement_timeout=20000 -c idle_in_transaction_session_timeout=20000 -c timezone=UTC "
                + silence.OPTIONS,
                **silence.ARGUMENTS,
            },
        )
        self.participants: list[Participant] = []

    @asynccontextmanager
    async def transaction(self, label: str = "http") -> AsyncIterator[Tx]:
        """Open a transaction; commit when the block ends, roll back when it raises."""
        async with self._connection() as connection:
            tx = Tx(connection, self.clock.now())
            try:
                async with connection.begin():
                    yield tx
                    for participant in self.participants:
                        await participant.before_commit(tx)
                    failpoint(f"{label}.before_commit")
            except BaseException:
                for participant in self.participants:
                    participant.after_rollback(tx)
                raise
            failpoint(f"{label}.after_commit")
        for participant in self.participants:
            participant.after_commit(tx)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Tx]:
        """A transaction for reading; it is always rolled back."""
        async with self._connection() as connection:
            yield Tx(connection, self.clock.now())

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        """A pooled connection. When it breaks, all others of the pool are replaced too."""
        try:
            async with self.engine.connect() as connection:
                try:
                    yield connection
                except BaseException as error:
                    if is_disconnect(error):
                        await connection.invalidate()
                        # As SQLAlchemy does for errors that it sees itself: older connections are not used again.
                        self.engine.sync_engine.pool._invalidate_time = time.time()  # noqa: SLF001 - no public way
                    raise
        except Exception as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                # Cancelled during a statement: the rollback fails, and the caller must still see the cancellation.
                raise asyncio.CancelledError from error
            raise

    async def close(self) -> None:
        await self.engine.dispose()


def is_disconnect(error: BaseException) -> bool:
    """Whether the connection is lost, whichever library reported it."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or (error.orig is not None and is_disconnect(error.orig))
    if isinstance(error, psycopg.Error) and error.sqlstate is not None:
        # 25006: this server has become a standby; 25P03 and 25P04: it has ended the session.
        return error.sqlstate.startswith(("08", "57P", "25006", "25P03", "25P04"))
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)


def is_infrastructure(error: BaseException) -> bool:
    """Whether the fault lies with the database and not with the data (sqlstates.py): a repetition may succeed."""
    if isinstance(error, ConnectionError | TimeoutError | OSError | PoolTimeoutError | PendingRollbackError):
        return True
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, psycopg.Error) and cause.sqlstate is not None:
        return meaning(cause.sqlstate) is Meaning.WAIT
    return is_disconnect(error)


def is_undone(error: BaseException) -> bool:
    """Whether Postgres undid the transaction for the sake of another: a deadlock, or a serialisation failure.

    It may be run again at once.
    """
    cause = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(cause, psycopg.Error) and cause.sqlstate in {"40P01", "40001"}


def storable(text: str) -> str:
    """Text as Postgres can store it, for reasons and details: NUL and lone surrogates become U+FFFD."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _order(key: Any) -> Any:
    """UUIDs by number: comparing the objects costs several times as much."""
    return key.int if isinstance(key, UUID) else key


def _typed(values: list[Any]) -> bool:
    return any(value is not None for value in values)


@lru_cache(maxsize=1024)
def _driver_sql(sql: str, arrays: frozenset[str]) -> str:
    """`:name` as psycopg writes it; arrays go in binary, since quoting each element of a text array costs more."""

    def placeholder(match: re.Match[str]) -> str:
        return f"%({match[1]}){'b' if match[1] in arrays else 's'}"

    return _PARAMETER.sub(placeholder, sql.replace("%", "%%"))


@lru_cache(maxsize=1024)
def _insert_sql(table: Table, columns: tuple[str, ...], on_conflict: str, returning: str, prefix: str = "c") -> str:
    arrays = ", ".join(
        f"CAST(:{prefix}{i} AS {table.c[name].type.compile(dialect=_DIALECT)}[])" for i, name in enumerate(columns)
    )
    tail = f" RETURNING {returning}" if returning else ""
    return f"INSERT INTO {table.name} ({', '.join(columns)}) SELECT * FROM unnest({arrays}) {on_conflict}{tail}"


def _array(table: Table, name: str, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    if isinstance(table.c[name].type, JSONB):
        return [as_json(row[name]) for row in rows]
    return [row[name] for row in rows]
