"""One running component of the product: its process, its migration, its readiness."""

import os
import sys
from collections.abc import Mapping

from local_stack.errors import ComponentFailedError
from local_stack.http_probe import answers_ok
from local_stack.paths import WORK_TREE
from local_stack.processes import ManagedProcess
from local_stack.product import Component
from local_stack.site import Site

STOP_GRACE_SECONDS = 15.0
MIGRATE_SECONDS = 120.0


class RunningComponent:
    """Made once the site's ports and databases are known. May be stopped and started any number of times."""

    def __init__(self, component: Component, site: Site, overrides: Mapping[str, str]) -> None:
        self.component = component
        self.log = site.log(component.name)
        self._port = site.ports[component.name]
        environment = {**_inherited(), **component.environment(site), **overrides}
        self._process = self._child(component.name, component.command, environment)
        self._migration: ManagedProcess | None = None
        if component.migrate is not None:
            as_owner = {**environment, **component.migrate_environment(site)}
            self._migration = self._child(f"The migration of {component.name}", component.migrate, as_owner)

    def _child(self, name: str, arguments: tuple[str, ...], environment: Mapping[str, str]) -> ManagedProcess:
        command = [sys.executable, *arguments]
        return ManagedProcess(name, command, log=self.log, environment=environment, cwd=WORK_TREE)

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether its process exists."""
        return self._process.running

    async def migrate(self) -> None:
        """Bring its database up to date. Raises ComponentFailedError when that does not succeed."""
        migration = self._migration
        if migration is None:
            return
        migration.start()
        ended = await migration.wait_exit(MIGRATE_SECONDS)
        code = migration.exit_code
        migration.kill()
        if not ended:
            raise ComponentFailedError(migration.name, f"took longer than {MIGRATE_SECONDS:.0f} s", self.log)
        if code != 0:
            raise ComponentFailedError(migration.name, f"exited ({code})", self.log)

    async def start(self) -> None:
        """Start it and wait until it says that it is ready. Raises ComponentFailedError."""
        self._process.start()
        await self._process.wait_ready(self._ready, self.component.start_seconds, port=self._port)

    async def stop(self) -> None:
        """End it in its own time (up to 15 s)."""
        await self._process.stop(STOP_GRACE_SECONDS)

    async def restart(self) -> None:
        """Stop and start."""
        await self.stop()
        await self.start()

    def kill(self) -> None:
        """`kill -9` for it and all its children."""
        self._process.kill()
        if self._migration is not None:
            self._migration.kill()

    def pause(self) -> None:
        """Freeze it."""
        self._process.pause()

    def resume(self) -> None:
        """Let it go on."""
        self._process.resume()

    async def _ready(self) -> bool:
        return await answers_ok(self._port, self.component.ready_path)


def _inherited() -> dict[str, str]:
    """Our own environment, but with output that is not held back and byte code that is kept: starts are frequent."""
    ours = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**ours, "PYTHONUNBUFFERED": "1"}
