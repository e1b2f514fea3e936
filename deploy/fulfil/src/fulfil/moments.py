"""Moments as people give them: `2026-11-21T09:00`, or `90m`, `2h`, `3d` ago."""

import argparse
import re
from datetime import UTC, datetime, timedelta

_AGO = re.compile(r"(\d{1,6})([mhd])")
#: As the services take them.
_FIRST_YEAR, _LAST_YEAR = 2000, 2099
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def moment(text: str, now: datetime | None = None) -> str:
    """ISO 8601 with its offset; what has none is UTC. Raises ArgumentTypeError."""
    try:
        if ago := _AGO.fullmatch(text):
            found = (now or datetime.now(UTC)) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        else:
            found = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no moment: 2026-11-21T09:00, or 90m, 2h, 3d ago") from None
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise argparse.ArgumentTypeError(f"{text!r} is not in the years {_FIRST_YEAR} to {_LAST_YEAR}")
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat()


def line(text: str) -> str:
    """One line of text that HTTP can carry. Raises ArgumentTypeError."""
    if not text.isprintable():
        raise argparse.ArgumentTypeError("must be one line of text, without control characters")
    return text


def shown(text: str | None) -> str:
    """To the second, UTC."""
    if not text:
        return ""
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
