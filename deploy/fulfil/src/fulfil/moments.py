"""Moments as people give them: `2026-11-21T09:00`, or `90m`, `2h`, `3d` ago."""

import argparse
import re
from datetime import UTC, datetime, timedelta

_AGO = re.compile(r"(\d{1,6})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def moment(text: str, now: datetime | None = None) -> str:
    """ISO 8601 with its offset; what has none is UTC. Raises ArgumentTypeError."""
    if ago := _AGO.fullmatch(text):
        return ((now or datetime.now(UTC)) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})).isoformat()
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no moment: 2026-11-21T09:00, or 90m, 2h, 3d ago") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat()


def shown(text: str | None) -> str:
    """To the second, UTC."""
    if not text:
        return ""
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
