"""A synchronous standby: the primary acknowledges nothing that is not here too, so nothing is lost with the primary."""

import asyncio
import time
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from local_stack.errors import ComponentFailedError
from local_stack.ports import LOOPBACK
from local_stack.postgres import START_TIMEOUT_SECONDS, Postgres
from local_stack.postgres_databases import Databases
from local_stack.postgres_home import PostgresHome
from local_stack.processes import ManagedProcess

_FOLLOWS = "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'"
_WAIT_SECONDS = 0.1


def on_either(databases: Databases, ports: tuple[int, int]) -> Databases:
    """The same databases at two servers: clients use the one that takes writes."""
    one, two = ports
    query = f"host={LOOPBACK},{LOOPBACK}&port={one},{two}&target_session_attrs=read-write"

    def both(url: str) -> str:
        parts = urlsplit(url)
        login = parts.netloc.rpartition("@")[0]
        return urlunsplit((parts.scheme, f"{login}@", parts.path, query, ""))

    return Databases(
        {name: both(url) for name, url in databases.services.items()},
        {name: both(url) for name, url in databases.owners.items()},
    )


class Standby(Postgres):
    """A copy of a running primary that follows it. Needs `pg_basebackup`, which not every package of Postgres has."""

    def __init__(self, directory: Path, primary: Postgres, *, port: int | None = None, log: Path | None = None) -> None:
        super().__init__(directory, port=port, log=log)
        self._primary = primary

    async def start(self) -> None:
        """Copy the primary, follow it, and have it wait for this server from now on. Raises ComponentFailedError."""
        await super().start()
        async with await psycopg.AsyncConnection.connect(self._primary.admin_url, autocommit=True) as connection:
            await self._wait_for(connection, ("async", "sync"))
            await connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            await connection.execute("SELECT pg_reload_conf()")
            await self._wait_for(connection, ("sync",))

    async def promote(self) -> None:
        """Become the primary, once the one before is gone. Raises ComponentFailedError where that takes a minute."""
        async with await psycopg.AsyncConnection.connect(self.admin_url, autocommit=True) as connection:
            [done] = await (await connection.execute("SELECT pg_promote()")).fetchone() or [False]
        if not done:
            raise ComponentFailedError("Postgres's standby", "was not promoted within a minute", self.log)

    def either(self, databases: Databases) -> Databases:
        """The same databases, with both servers in their URLs: clients use the one that takes writes."""
        return on_either(databases, (self._primary.port, self.port))

    def _prepare(self) -> ManagedProcess:
        self._copy_of = self._primary.admin_url
        return super()._prepare()

    def _new_home(self) -> PostgresHome:
        home = super()._new_home()
        home.superuser_password = urlsplit(self._primary.admin_url).password or ""
        return home

    async def _wait_for(self, connection: psycopg.AsyncConnection, states: tuple[str, ...]) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            row = await (await connection.execute(_FOLLOWS)).fetchone()
            if row is not None and row[0] in states:
                return
            if time.monotonic() > deadline:
                raise ComponentFailedError("Postgres's standby", f"does not follow: {row}", self.log)
            await asyncio.sleep(_WAIT_SECONDS)
