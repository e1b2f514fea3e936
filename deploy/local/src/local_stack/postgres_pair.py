"""A primary and its synchronous standby as one server: one is lost for good, and the other takes over.

Nobody decides this here but the caller, who does by hand what a tool for high availability does by itself: it makes
sure that the primary is gone, promotes the standby, and has the lost server begin anew as the new primary's standby.
"""

import asyncio
from pathlib import Path

from local_stack.errors import LocalStackError
from local_stack.ports import free_port
from local_stack.postgres import Postgres
from local_stack.postgres_databases import Databases
from local_stack.postgres_standby import Standby, on_either


class PostgresPair:
    """`ports`: the two servers'. What is done to it is done to the primary of the moment, a start or stop to both."""

    def __init__(
        self, directory: Path, ports: tuple[int, int] | None = None, *, beneath: Path | None = None, log: Path
    ) -> None:
        self.ports = ports or (free_port(), free_port())
        self.log = log
        self.primary = Postgres(directory, port=self.ports[0], log=log, beneath=beneath)
        self.standby: Standby | None = None
        self._second = directory.with_name(f"{directory.name}-2")
        self._lost: Postgres | None = None

    @property
    def port(self) -> int:
        """The primary's."""
        return self.primary.port

    @property
    def admin_url(self) -> str:
        """The superuser's URL at the primary."""
        return self.primary.admin_url

    @property
    def pid(self) -> int | None:
        """The primary's process id while it runs."""
        return self.primary.pid

    @property
    def running(self) -> bool:
        """Whether the primary exists."""
        return self.primary.running

    async def start(self) -> None:
        """Start what does not run; at the first start the standby is made. Raises as `Postgres.start`."""
        if self.standby is None and self._lost is None:
            await self.primary.start()
            self.standby = Standby(self._second, self.primary, port=self.ports[1], log=self._log_of(2))
            await self.standby.start()
            return
        servers = [self.primary, *([self.standby] if self.standby is not None else [])]
        # The standby alone: its own `start` would wait for a primary that another fault may have stopped.
        await asyncio.gather(*(Postgres.start(server) for server in servers))

    async def stop(self) -> None:
        """End both in their own time: the primary first, whose standby then has all of it."""
        await self.primary.stop()
        if self.standby is not None:
            await self.standby.stop()

    def kill(self) -> None:
        """`kill -9` for the primary alone."""
        self.primary.kill()

    def pause(self) -> None:
        """Freeze the primary."""
        self.primary.pause()

    def resume(self) -> None:
        """Let the primary go on."""
        self.primary.resume()

    async def restart(self) -> None:
        """Stop and start both."""
        await self.stop()
        await self.start()

    async def fail_over(self) -> None:
        """The primary is killed and never comes back as such; the standby takes over. Raises LocalStackError."""
        if self.standby is None:
            raise LocalStackError("there is no standby to take over")
        self._lost, new = self.primary, self.standby
        self._lost.kill()
        await new.promote()
        self.primary, self.standby = new, None

    async def rejoin(self) -> None:
        """The lost server begins anew, as the standby of the new primary. Raises ComponentFailedError."""
        if self._lost is None:
            return
        lost = self._lost
        await asyncio.to_thread(lost.drop_data)
        standby = Standby(lost.directory, self.primary, port=lost.port, log=lost.log)
        await standby.start()
        self.standby, self._lost = standby, None

    async def create_databases(self, names: list[str]) -> Databases:
        """As `Postgres.create_databases`; the URLs have both servers."""
        return on_either(await self.primary.create_databases(names), self.ports)

    def _log_of(self, number: int) -> Path:
        return self.log.with_name(f"{self.log.stem}-{number}{self.log.suffix}")
