"""A real Postgres: one server as a child process, durable as in production."""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psycopg

from local_stack.errors import ComponentFailedError
from local_stack.ports import LOOPBACK, free_port
from local_stack.postgres_databases import Databases, create_databases, owner_role
from local_stack.postgres_files import postgres_server
from local_stack.postgres_home import SCRAM, SUPERUSER, PostgresHome, server_environment
from local_stack.proc import children, is_running, program_name
from local_stack.processes import ManagedProcess

START_TIMEOUT_SECONDS = 60.0
STOP_GRACE_SECONDS = 10.0
#: How long what a killed server has left behind may be in the way of the next one.
PREDECESSOR_SECONDS = 10.0

SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    # Durability is what the product promises, so it is never traded for speed here.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_compression": "on",
    # Two cores, a few hundred MB.
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    # In a file with the data: a server that is killed and never started again leaves its segment in /dev/shm.
    "dynamic_shared_memory_type": "mmap",
    # Queue tables turn over many times a minute: vacuum often and do not hold it back.
    "autovacuum_naptime": "5s",
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_vacuum_cost_limit": "2000",
    "log_line_prefix": "%m [%p] %d ",
}
THROWAWAY = {
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
}
"""For a test run's own server, whose data is deleted with the run. `kill -9` of its processes loses nothing either way:
what they wrote is the operating system's by then. Only a crash of the whole machine would, and it ends the run too."""
CHEAP = "md5"
"""How clients of such a server prove their passwords: SCRAM costs each connection 4,096 rounds of a hash."""


class Postgres:
    """One server whose state is in `directory`. It keeps port and data over stop, kill and restart.

    `extra_settings` win over SETTINGS; `beneath` says where the data lies, if not where postgres_home.py would put it;
    `authentication` is pg_hba.conf's word for how clients prove their passwords.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        log: Path | None = None,
        extra_settings: Mapping[str, str] | None = None,
        beneath: Path | None = None,
        authentication: str = SCRAM,
    ) -> None:
        self.directory = directory
        self._beneath = beneath
        self._authentication = authentication
        self.port = port or free_port()
        self.log = log or directory / "postgres.log"
        self._settings = {**SETTINGS, **(extra_settings or {})}
        #: The URL of a running server, whose copy this one shall be (postgres_standby.py).
        self._copy_of: str | None = None
        self._home: PostgresHome | None = None
        self._process: ManagedProcess | None = None

    @property
    def admin_url(self) -> str:
        """The superuser's libpq URL for the database `postgres`; only after the first start."""
        password = self._home.superuser_password if self._home else ""
        return f"postgresql://{SUPERUSER}:{password}@{LOOPBACK}:{self.port}/postgres"

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it runs."""
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        """Whether the postmaster exists."""
        return self._process is not None and self._process.running

    async def start(self) -> None:
        """Start the server and wait until it answers a query.

        Raises ComponentFailedError when it does not, LocalStackError when there is no server to run.
        """
        if self.running:
            return
        if self._process is None:
            self._process = await asyncio.to_thread(self._prepare)
        deadline = time.monotonic() + PREDECESSOR_SECONDS
        while True:
            self._drop_stale_pid_file()
            self._process.start()
            try:
                await self._process.wait_ready(self._answers, START_TIMEOUT_SECONDS)
            except ComponentFailedError as error:
                # After a kill the predecessor's processes may need a moment to be gone. A child that has not run since
                # it was forked has not even closed the port that it inherited.
                if not _blocked_by_predecessor(error) or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.1)
            else:
                return

    async def stop(self) -> None:
        """End the server cleanly, cutting its connections (up to 10 s)."""
        if self._process:
            await self._process.stop(STOP_GRACE_SECONDS)

    def kill(self) -> None:
        """`kill -9` for the postmaster and every backend: what a power cut would be to the server."""
        if self._process is None:
            return
        backends = self._backends()
        self._process.kill()
        for backend in backends:
            with suppress(ProcessLookupError):
                os.kill(backend, signal.SIGKILL)

    def drop_data(self) -> None:
        """Delete what a server that was killed has kept; the next one in its folder begins anew."""
        if self._home is not None and not self.running:
            shutil.rmtree(self._home.data, ignore_errors=True)

    def pause(self) -> None:
        """Freeze postmaster and backends: connections stay open, nothing answers."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen server go on."""
        self._signal_all(signal.SIGCONT)

    async def restart(self) -> None:
        """Stop if it runs, and start again on the same port with the same data."""
        await self.stop()
        await self.start()

    async def create_databases(self, names: list[str]) -> Databases:
        """A database per name, with a role of that name and an owner; harmless when they exist."""
        if self._home is None:
            raise ComponentFailedError("Postgres", "was never started", self.log)
        passwords = {role: self._home.password(role) for name in names for role in (name, owner_role(name))}
        await create_databases(self.admin_url, passwords, names)

        def url(role: str, name: str) -> str:
            return f"postgresql+psycopg://{role}:{passwords[role]}@{LOOPBACK}:{self.port}/{name}"

        return Databases(
            {name: url(name, name) for name in names}, {name: url(owner_role(name), name) for name in names}
        )

    def _prepare(self) -> ManagedProcess:
        server = postgres_server()
        self._home = self._new_home()
        self._home.prepare(self.log, self._authentication, self._copy_of)
        command = [str(server.programs / "postgres"), "-D", str(self._home.data), "-p", str(self.port)]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        return ManagedProcess(
            "Postgres",
            command,
            log=self.log,
            environment=server_environment(),
            cwd=Path("/"),
            user=server.user,
            stop_signal=signal.SIGINT,  # "fast": does not wait for clients to leave
        )

    def _new_home(self) -> PostgresHome:
        return PostgresHome(self.directory, postgres_server(), self._beneath)

    async def _answers(self) -> bool:
        try:
            async with await psycopg.AsyncConnection.connect(self.admin_url, connect_timeout=2) as connection:
                await connection.execute("select 1")
        except psycopg.OperationalError:
            return False
        return True

    def _backends(self) -> list[int]:
        """The postmaster's children; each leads a process group of its own."""
        return [] if self.pid is None else children(self.pid)

    def _signal_all(self, number: signal.Signals) -> None:
        if self.pid is not None:
            for process in [self.pid, *self._backends()]:
                with suppress(ProcessLookupError):
                    os.kill(process, number)

    def _drop_stale_pid_file(self) -> None:
        """Remove the pid file of a server that a crash of the machine took, when its number is now another's."""
        pid_file = None if self._home is None else self._home.data / "postmaster.pid"
        if pid_file is not None and pid_file.exists():
            recorded = int(pid_file.read_text().split()[0])
            if not is_running(recorded) or program_name(recorded) != "postgres":
                pid_file.unlink()


def _blocked_by_predecessor(error: ComponentFailedError) -> bool:
    last_words = error.log_tail.rpartition("FATAL:")[2]
    return any(words in last_words for words in ("shared memory block", "postmaster.pid", "any TCP/IP sockets"))
