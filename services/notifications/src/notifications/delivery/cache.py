"""Emails that became due a moment ago, kept in memory so that sending them needs no query.

A corrected address must take effect. An entry is therefore dropped when an event about its buyer arrives, and ignored
when it is older than two seconds, because another instance may have stored a correction.
"""

import time
from collections.abc import Iterable
from uuid import UUID

from notifications.delivery.models import DueEmail, EmailKey

_FRESH_SECONDS = 2.0
_MAX_ENTRIES = 5_000
_Entry = tuple[UUID, DueEmail, float]


class RecentEmails:
    """The cache, by email, with an index by buyer."""

    def __init__(self) -> None:
        self._entries: dict[EmailKey, _Entry] = {}
        self._by_buyer: dict[UUID, set[EmailKey]] = {}

    def put(self, buyer_id: UUID, email: EmailKey, due: DueEmail) -> None:
        """Store an entry; beyond the limit the oldest one is dropped."""
        if len(self._entries) >= _MAX_ENTRIES:
            self._pop(next(iter(self._entries)))
        self._entries[email] = (buyer_id, due, time.monotonic())
        self._by_buyer.setdefault(buyer_id, set()).add(email)

    def take(self, email: EmailKey) -> DueEmail | None:
        """Remove the entry of this email and return it if it is fresh."""
        entry = self._pop(email)
        return None if entry is None or time.monotonic() - entry[2] > _FRESH_SECONDS else entry[1]

    def forget(self, buyer_ids: Iterable[UUID]) -> None:
        """Drop the entries of these buyers, because something about them has changed."""
        for buyer_id in buyer_ids:
            for email in tuple(self._by_buyer.get(buyer_id, ())):
                self._pop(email)

    def _pop(self, email: EmailKey) -> _Entry | None:
        entry = self._entries.pop(email, None)
        if entry is not None:
            remaining = self._by_buyer[entry[0]]
            remaining.discard(email)
            if not remaining:
                del self._by_buyer[entry[0]]
        return entry
