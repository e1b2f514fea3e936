"""How the tour speaks: calm lines with a spinner where something is under way, plain lines where nobody watches."""

import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table

from local_stack.progress import Phase, Progress, progress_for_terminal
from tour import codes
from tour.expectations import Outcome

_WIDEST = 96
_PLAIN_SECONDS = 2.0
#: A phone wants dark on light, whatever the terminal's own colours are.
_PAPER = "#000000 on #ffffff"


class Step:
    """Something under way: `now` says how far it is, `done` how it ended."""

    def __init__(self, console: Console, doing: str) -> None:
        self.words = doing
        self.good = True
        self._console = console
        self._doing = doing
        self._printed_at = time.monotonic()
        self._printed = ""
        self._spinner = Status(f" {escape(doing)}", console=console) if console.is_terminal else None

    def now(self, state: str) -> None:
        """How far it is."""
        if self._spinner is not None:
            self._spinner.update(f" {escape(self._doing)}  [dim]{escape(state)}[/]")
        elif state != self._printed and time.monotonic() - self._printed_at > _PLAIN_SECONDS:
            self._printed, self._printed_at = state, time.monotonic()
            self._console.print(f"    … {escape(state)}")

    def done(self, words: str) -> None:
        """What to leave standing."""
        self.words = words

    def failed(self, words: str) -> None:
        """What stays on the screen when it did not come as expected."""
        self.words, self.good = words, False

    def start(self) -> None:
        """Show it."""
        if self._spinner is not None:
            self._spinner.start()

    def stop(self) -> None:
        """Show it no more."""
        if self._spinner is not None:
            self._spinner.stop()


class Narrator:
    """Tells the tour on one console."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)

    def title(self, words: str) -> None:
        """What this is."""
        self._console.print()
        self._paragraph(words)
        self._console.print()

    def act(self, number: int, of: int, name: str, words: str) -> None:
        """An act begins."""
        self._console.print()
        self._console.rule(f"[bold]Act {number} of {of} · {escape(name)}", align="left", style="dim")
        self._paragraph(words, style="dim")
        self._console.print()

    def say(self, words: str) -> None:
        """A line between the steps."""
        for line in textwrap.wrap(words, self._width - 4):
            self._console.print(f"    [dim]{escape(line)}[/]")

    @contextmanager
    def step(self, doing: str) -> Iterator[Step]:
        """Show that something is under way; then a mark and what came of it."""
        step = Step(self._console, doing)
        step.start()
        try:
            yield step
        except Exception:  # whatever it was goes on; only the mark is ours
            step.stop()
            self.wrong(doing)
            raise
        finally:
            step.stop()
        (self.right if step.good else self.wrong)(step.words)

    def right(self, words: str) -> None:
        """It came as expected."""
        self._marked("[green]✓[/]", words)

    def wrong(self, words: str) -> None:
        """It did not."""
        self._marked("[bold red]✗[/]", words)

    def not_shown(self, words: str) -> None:
        """Something that this machine lacks a tool for."""
        self._marked("[yellow]–[/]", f"Not shown here: {words}")

    def struck(self, words: str) -> None:
        """Something was broken on purpose."""
        self._marked("[bold yellow]![/]", words)

    def quote(self, lines: Sequence[str]) -> None:
        """Words of a mail."""
        self._console.print()
        for line in lines:
            for part in textwrap.wrap(line, self._width - 8) or [""]:
                self._console.print(f"    [dim]│[/] {escape(part)}".rstrip())
        self._console.print()

    def code(self, text: str) -> None:
        """A QR code that a phone can scan."""
        coloured = self._console.color_system is not None and not self._console.no_color
        self._console.print()
        for line in codes.draw(text, ink_is_dark=coloured):
            self._console.print("    ", end="")
            self._console.print(line, style=_PAPER if coloured else None, soft_wrap=True)
        self._console.print()

    def result(self, outcomes: Sequence[Outcome]) -> None:
        """The table at the end."""
        table = Table("", "act", box=None, header_style="dim", padding=(0, 2, 0, 0))
        for column in ("orders", "delivered", "refunded", "seconds"):
            table.add_column(column, justify="right")
        for outcome in outcomes:
            if outcome.ok and outcome.not_shown is not None:
                table.add_row("[yellow]–[/]", f"{escape(outcome.name)} [yellow](not shown here)[/]", "", "", "", "")
                continue
            mark = "[green]✓[/]" if outcome.ok else "[bold red]✗[/]"
            cells = (str(outcome.orders), str(outcome.delivered), str(outcome.refunded), f"{outcome.seconds:.1f}")
            table.add_row(mark, escape(outcome.name), *cells)
        self._console.print()
        self._console.rule(style="dim")
        self._console.print(table)
        self._console.print()

    def line(self, words: str) -> None:
        """A line that may be copied: never wrapped."""
        self._console.print(escape(words), soft_wrap=True)

    @property
    def _width(self) -> int:
        return min(self._console.width, _WIDEST)

    def _paragraph(self, words: str, style: str = "") -> None:
        for line in textwrap.wrap(words, self._width):
            self._console.print(escape(line), style=style or None)

    def _marked(self, mark: str, words: str) -> None:
        first, *more = textwrap.wrap(words, self._width - 4) or [""]
        self._console.print(f"  {mark} {escape(first)}")
        for line in more:
            self._console.print(f"    {escape(line)}")


class OnlyTheStart:
    """The stack's own progress display, for its first start; what happens to its parts later the tour tells itself."""

    def __init__(self) -> None:
        self._shown: Progress | None = progress_for_terminal()

    def report(self, component: str, phase: Phase) -> None:
        """A part has reached a phase."""
        if self._shown is not None:
            self._shown.report(component, phase)

    def __enter__(self) -> Self:
        """Begin to show."""
        if self._shown is not None:
            self._shown.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave what was shown standing, and show nothing any more."""
        if self._shown is not None:
            self._shown.__exit__(kind, error, trace)
            self._shown = None
