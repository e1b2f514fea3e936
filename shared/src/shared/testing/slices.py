"""Selects a share of the exhaustive tests for each run, by its commit; SLICES runs cover all of them."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar
from zlib import crc32

T = TypeVar("T")

SLICES = 8
"""Into how many the exhaustive tests are divided. An eighth of them takes about a minute."""

VARIABLE = "TEST_SLICE"
"""`all`, or the number of a slice; unset, the commit chooses."""


def chosen(environment: Mapping[str, str], commit: str) -> int | None:
    """The slice to run, or None for all of them. `commit` is hexadecimal; "" (no repository) means all.

    Raises ValueError where the variable says something else.
    """
    wanted = environment.get(VARIABLE, "")
    if wanted == "all" or (not wanted and not commit):
        return None
    if not wanted:
        return int(commit, 16) % SLICES
    if wanted.isdecimal() and int(wanted) < SLICES:
        return int(wanted)
    raise ValueError(f"{VARIABLE}={wanted}: all, or a number below {SLICES}")


def belongs(test: str, number: int | None) -> bool:
    """Whether a test, by its node id, is in a slice; everything is in None."""
    return number is None or crc32(test.encode()) % SLICES == number


def some_of(scenes: Sequence[T], number: int | None) -> Sequence[T]:
    """For a test that plays many scenes in turn: those of a slice, at least one; all of them in None."""
    return scenes if number is None else scenes[number % len(scenes) :: SLICES]


def described(number: int | None) -> str:
    """The line for the head of a run."""
    if number is None:
        return "exhaustive tests: all"
    return f"exhaustive tests: slice {number} of 0 to {SLICES - 1} (the commit or {VARIABLE} says which; test-all: all)"


def commit(directory: Path) -> str:
    """The commit that is checked out, or "" where there is none."""
    command = ["git", "-C", str(directory), "rev-parse", "HEAD"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - constant arguments
    except FileNotFoundError:
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""


def of_this_run(directory: Path) -> int | None:
    """The slice of this run; the answer is kept for the processes that it starts. Raises ValueError."""
    number = chosen(os.environ, "" if VARIABLE in os.environ else commit(directory))
    os.environ[VARIABLE] = "all" if number is None else str(number)
    return number
