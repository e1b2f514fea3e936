"""Changelogs in the form of Keep a Changelog 1.1.0: what is unreleased becomes a version's section."""

import re
from datetime import date

_UNRELEASED = "## [Unreleased]\n"
_NEXT = re.compile(r"^## \[", re.MULTILINE)


class EmptyChangelogError(Exception):
    """Nothing is said of what a release would bring."""


def unreleased(text: str) -> str:
    """What the section `Unreleased` says. Raises EmptyChangelogError where it says nothing, or is not there."""
    _, found, rest = text.partition(_UNRELEASED)
    section = _NEXT.split(rest, maxsplit=1)[0].strip()
    if not found or not re.search(r"^- \S", section, re.MULTILINE):
        raise EmptyChangelogError("under `## [Unreleased]` nothing is listed")
    return section


def released(text: str, version: str, day: date) -> str:
    """The changelog with that section as the version's, and a new, empty one above it. Raises EmptyChangelogError."""
    unreleased(text)
    return text.replace(_UNRELEASED, f"{_UNRELEASED}\n## [{version}] - {day.isoformat()}\n", 1)
