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
#: A mail: its kind and what it is about.
Mailed = tuple[str, UUID]


@dataclass(frozen=True, slots=True)
class Contact:
    """Where and how to write to a buyer."""

    name: str
    email: str
    language: str
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class DueEmail:
    """A mail that is due: the fact it is about, and the buyer's contact.

    None as contact: the mail is not to be sent (any more), or not while it is `withheld`.
    """

    fact: Any
    contact: Contact | None
    withheld: bool = False


class RecentEmails:
    """Mails that became due a moment ago."""

    def __init__(self) -> None:
        self._entries: dict[Mailed, tuple[UUID, DueEmail, float]] = {}
        self._of_buyer: dict[UUID, set[Mailed]] = {}

    def put(self, buyer_id: UUID, kind: str, subject_id: UUID, known: DueEmail) -> None:
        """Remember; beyond a few thousand the oldest is forgotten."""
        if len(self._entries) >= _MOST:
            self._pop(next(iter(self._entries)))
        self._entries[kind, subject_id] = (buyer_id, known, time.monotonic())
        self._of_buyer.setdefault(buyer_id, set()).add((kind, subject_id))

    def take(self, kind: str, subject_id: UUID) -> DueEmail | None:
        """What is known about this mail, once."""
        entry = self._pop((kind, subject_id))
        return None if entry is None or time.monotonic() - entry[2] > _FRESH_SECONDS else entry[1]

    def forget(self, buyer_ids: Iterable[UUID]) -> None:
        """Something about these buyers has changed."""
        for buyer_id in buyer_ids:
            for mailed in tuple(self._of_buyer.get(buyer_id, ())):
                self._pop(mailed)

    def _pop(self, mailed: Mailed) -> tuple[UUID, DueEmail, float] | None:
        entry = self._entries.pop(mailed, None)
        if entry is not None:
            left = self._of_buyer[entry[0]]
            left.discard(mailed)
            if not left:
                del self._of_buyer[entry[0]]
        return entry
