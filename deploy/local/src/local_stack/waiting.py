"""What is under way and how far it is, for steps that take long: lines on standard error."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

FIRST_SECONDS = 1.5
EVERY_SECONDS = 5.0
_WIDEST = 100


@contextmanager
def waiting(what: str, how_far: Callable[[], str] = lambda: "") -> Iterator[None]:
    """Print `what` when the block takes longer than a moment, then the time and `how_far` every few seconds."""
    ended = threading.Event()
    reporter = threading.Thread(target=_report, args=(what, how_far, ended), daemon=True)
    reporter.start()
    try:
        yield
    finally:
        ended.set()
        reporter.join()


def _report(what: str, how_far: Callable[[], str], ended: threading.Event) -> None:
    began = time.monotonic()
    if ended.wait(FIRST_SECONDS):
        return
    print(what, file=sys.stderr, flush=True)
    while not ended.wait(EVERY_SECONDS):
        state = " ".join(how_far().split())[:_WIDEST]
        print(f"  … {time.monotonic() - began:.0f} s{f': {state}' if state else ''}", file=sys.stderr, flush=True)


def last_line(log: Path) -> str:
    """The last line of a log that is being written, empty where there is none yet."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    return next((line for line in reversed(lines) if line.strip()), "")


def downloaded(log: Path) -> str:
    """How many files Maven has downloaded, by its log."""
    try:
        count = log.read_text(encoding="utf-8", errors="replace").count("Downloaded from ")
    except OSError:
        count = 0
    return f"{count} files" if count else ""
