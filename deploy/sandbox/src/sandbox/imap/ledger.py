"""The provider's books: every message of every mailbox, its UID, and the flags that its reader has set."""

import base64
from collections.abc import Callable

from pydantic import Field

from sandbox.clock import now
from sandbox.ledger import CamelModel, Journal, Ledger


class Stored(CamelModel):
    """A message in a mailbox. `raw`: base64 of it as it arrived; `fetched`: how often it was read whole."""

    id: int
    mailbox: str
    uid: int
    raw: str
    flags: list[str] = Field(default_factory=list)
    fetched: int = 0
    at: str = Field(default_factory=now)

    @property
    def content(self) -> bytes:
        return base64.b64decode(self.raw)


class ImapLedger:
    """Messages by their number. `changed`: called after each arrival."""

    def __init__(self, journal: Journal) -> None:
        self.book: Ledger[Stored] = Ledger(Stored, journal)
        self.changed: list[Callable[[str], None]] = []
        self._last = 0

    def load(self) -> None:
        """Take up where an earlier run stopped."""
        self.book.load("id")
        self._last = max((message.id for message in self.book), default=0)

    def arrive(self, mailbox: str, raw: bytes) -> Stored:
        """A message arrives in a mailbox. UIDs grow over all mailboxes, which IMAP allows."""
        self._last += 1
        message = Stored(id=self._last, mailbox=mailbox, uid=self._last, raw=base64.b64encode(raw).decode())
        self.put(message)
        for tell in list(self.changed):
            tell(mailbox)
        return message

    def put(self, message: Stored) -> None:
        """Write a message down."""
        self.book.put(str(message.id), message)

    def of(self, mailbox: str) -> list[Stored]:
        """The messages of a mailbox, the oldest first."""
        return sorted((one for one in self.book if one.mailbox == mailbox), key=lambda one: one.uid)

    def clear(self) -> None:
        """Empty mailboxes; numbers go on."""
        self.book.clear()
