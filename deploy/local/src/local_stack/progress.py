"""Showing how far a stack is: a live table on a terminal, plain lines elsewhere."""

import sys
import time
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text


class Phase(StrEnum):
    """Where one component is."""

    WAITING = "waiting"
    PREPARING = "preparing"
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    STOPPED = "stopped"


_BUSY = {Phase.PREPARING, Phase.STARTING, Phase.RESTARTING, Phase.STOPPING}
_STYLES = {Phase.READY: "green", Phase.FAILED: "bold red", Phase.WAITING: "dim", Phase.STOPPED: "dim"}


class Progress(Protocol):
    """Told of every change; used as a context manager while something changes."""

    def report(self, component: str, phase: Phase) -> None:
        """One component has reached a phase."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave what was shown standing, and stop."""


class Silent:
    """Shows nothing."""

    def report(self, component: str, phase: Phase) -> None:
        """Nothing."""

    def __enter__(self) -> Self:
        """Nothing."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing."""


class PlainLines(Silent):
    """One line when a component is ready, stopped or failed: for logs and continuous integration."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def report(self, component: str, phase: Phase) -> None:
        """Print the phases that somebody reading a log wants to know."""
        if phase in {Phase.READY, Phase.FAILED, Phase.STOPPED, Phase.RESTARTING}:
            print(f"{time.monotonic() - self._began:6.1f} s  {component:<14} {phase}", flush=True)


@dataclass
class _Line:
    phase: Phase
    began: float
    ended: float | None = None


class LiveTable:
    """A table with one line per component, spinners where something is under way, seconds where it is done."""

    def __init__(self, console: Console | None = None) -> None:
        self._lines: dict[str, _Line] = {}
        self._live = Live(get_renderable=self._render, console=console or Console(), refresh_per_second=10)

    def report(self, component: str, phase: Phase) -> None:
        """Change the component's line."""
        now = time.monotonic()
        line = self._lines.setdefault(component, _Line(phase, now))
        if line.phase in {Phase.WAITING, Phase.READY, Phase.FAILED, Phase.STOPPED} and phase in _BUSY:
            line.began, line.ended = now, None
        line.phase = phase
        if phase not in _BUSY and line.ended is None:
            line.ended = now

    def __enter__(self) -> Self:
        """Begin to show."""
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last state standing."""
        self._live.stop()

    def _render(self) -> Table:
        table = Table.grid(padding=(0, 2))
        now = time.monotonic()
        for name, line in self._lines.items():
            busy = line.phase in _BUSY
            mark = Spinner("dots") if busy else Text("✓" if line.phase is Phase.READY else "·")
            seconds = "" if line.phase is Phase.WAITING else f"{(line.ended or now) - line.began:5.1f} s"
            table.add_row(mark, name, Text(line.phase, style=_STYLES.get(line.phase, "yellow")), seconds)
        return table


def progress_for_terminal() -> Progress:
    """The live table on a terminal, plain lines where the output goes to a file or a pipe."""
    return LiveTable() if sys.stdout.isatty() else PlainLines()
