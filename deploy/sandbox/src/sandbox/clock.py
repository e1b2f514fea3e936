"""Times as the ledgers write them."""

from datetime import UTC, datetime


def now() -> str:
    """The present moment in UTC, ISO 8601 with microseconds: equal lengths, so they sort as text."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
