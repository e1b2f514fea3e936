"""What a consumer knew when it made a mail due, kept for a moment so that sending needs no query.

A contact is only worth as much as it is fresh: a corrected address must win. An entry is dropped when a fact about its
buyer passes by, and not used when it is older than two seconds (another instance may have seen a correction).
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

_FRESH_SECONDS = 2.0
_MOST = 5_000


@dataclass(frozen=True, slots=True)
class Contact:
    """Where and how to write to a buyer."""

    name: str
    email: str
    language: str


@dataclass(frozen=True, slots=True)
class Known:
    """A mail that is due: the fact it is about, and the buyer's contact (None: the buyer was erased)."""

    fact: Any
    contact: Contact | None


class Recent:
    """At most one mail per buyer, by buyer."""

    def __init__(self) -> None:
        self._entries: dict[UUID, tuple[str, UUID, Known, float]] = {}

    def put(self, buyer_id: UUID, kind: str, subject_id: UUID, known: Known) -> None:
        """Remember; beyond a few thousand the oldest is forgotten."""
        if len(self._entries) >= _MOST:
            del self._entries[next(iter(self._entries))]
        self._entries[buyer_id] = (kind, subject_id, known, time.monotonic())

    def take(self, buyer_id: UUID, kind: str, subject_id: UUID) -> Known | None:
        """What is known about this mail, once."""
        entry = self._entries.pop(buyer_id, None)
        if entry is None or entry[:2] != (kind, subject_id) or time.monotonic() - entry[3] > _FRESH_SECONDS:
            return None
        return entry[2]

    def forget(self, buyer_ids: Iterable[UUID]) -> None:
        """Something about these buyers has changed."""
        for buyer_id in buyer_ids:
            self._entries.pop(buyer_id, None)
