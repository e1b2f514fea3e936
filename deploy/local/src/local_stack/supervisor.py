"""The detached process behind `make up`: starts the stack, restarts what crashes, stops it on a signal."""

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from local_stack.errors import AlreadyRunningError, ComponentFailedError, LocalStackError
from local_stack.example_shop import WITH_SHOP
from local_stack.paths import run_dir
from local_stack.product import Component
from local_stack.progress import Phase, Silent
from local_stack.stack import Stack
from local_stack.status import ComponentStatus, Status

CHECK_SECONDS = 0.5
RESTART_DELAY_SECONDS = 1.0
LONGEST_DELAY_SECONDS = 30.0


class _Reporter(Silent):
    """A progress display that is a file."""

    def __init__(self, directory: Path, status: Status) -> None:
        self._directory = directory
        self._status = status

    def report(self, component: str, phase: Phase) -> None:
        """Store the change at once, so that `up` can show it."""
        self._status.components.setdefault(component, ComponentStatus()).phase = phase
        self._status.write(self._directory)


class Supervisor:
    """Runs one stack until SIGTERM."""

    def __init__(
        self, name: str, *, directory: Path | None = None, components: Sequence[Component] = WITH_SHOP
    ) -> None:
        self._status = Status(os.getpid())
        directory = directory or run_dir(name)
        self._reporter = _Reporter(directory, self._status)
        self._stack = Stack(name, directory=directory, components=components, progress=self._reporter)
        self._stop = asyncio.Event()

    async def run(self) -> int:
        """The whole life of the stack; returns the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
        try:
            if not await self._start():
                return 0
        except AlreadyRunningError as error:
            print(error, flush=True)  # the status file is its runner's
            return 1
        except LocalStackError as error:
            tail = error.log_tail if isinstance(error, ComponentFailedError) else ""
            self._write(Phase.FAILED, str(error), tail)
            return 1
        self._write(Phase.READY)
        watchers = [asyncio.create_task(self._watch(name)) for name in self._stack.names]
        await self._stop.wait()
        for watcher in watchers:
            watcher.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)
        self._write(Phase.STOPPING)
        await self._stack.down()
        self._write(Phase.STOPPED)
        return 0

    async def _start(self) -> bool:
        """Whether the stack came up; False when a signal stopped it first."""
        start, stop = asyncio.create_task(self._stack.up()), asyncio.create_task(self._stop.wait())
        await asyncio.wait({start, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if start.done():
            await start
            return True
        start.cancel()
        with suppress(asyncio.CancelledError):
            await start
        self._write(Phase.STOPPED)
        return False

    async def _watch(self, name: str) -> None:
        """Start one part again whenever it ends by itself, after a second, later after longer and longer."""
        delay = RESTART_DELAY_SECONDS
        component = self._status.components[name]
        while True:
            part = self._stack.parts[name]
            if component.pid != part.pid:
                component.pid = part.pid
                self._status.write(self._stack.directory)
            if part.running:
                await asyncio.sleep(CHECK_SECONDS)
                continue
            component.restarts += 1
            self._reporter.report(name, Phase.RESTARTING)
            await asyncio.sleep(delay)
            try:
                await self._stack.start(name)
                delay = RESTART_DELAY_SECONDS
            except LocalStackError as error:
                print(error, flush=True)
                part.kill()
                delay = min(delay * 2, LONGEST_DELAY_SECONDS)

    def _write(self, phase: Phase, error: str = "", log_tail: str = "") -> None:
        self._status.phase, self._status.error, self._status.log_tail = phase, error, log_tail
        self._status.write(self._stack.directory)
