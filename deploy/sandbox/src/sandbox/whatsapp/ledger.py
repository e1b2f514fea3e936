"""WhatsApp's books: every message of every number, in both directions, with its statuses; and files."""

import base64
import time
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from sandbox.clock import now
from sandbox.ledger import CamelModel, Journal, Ledger


class WhatsAppMessage(CamelModel):
    """One message. `number`: the business's, by name; `wa_id`: the person's telephone number."""

    seq: int
    id: str
    number: str
    wa_id: str
    direction: Literal["to_business", "from_business"]
    kind: str
    text: str = ""
    language: str = ""
    media_id: str | None = None
    statuses: list[str] = Field(default_factory=list)
    at: str = Field(default_factory=now)


@dataclass(slots=True)
class StoredMedia:
    """A file that somebody sent. `size`: as it is announced."""

    content: bytes
    mime_type: str
    size: int


class WhatsAppLedger:
    """Messages by their id. Files and webhooks live as long as the sandbox."""

    def __init__(self, journal: Journal) -> None:
        self.book: Ledger[WhatsAppMessage] = Ledger(WhatsAppMessage, journal)
        self.media: dict[str, StoredMedia] = {}
        #: By name of the number: where its webhooks go.
        self.webhooks: dict[str, str] = {}
        #: When each person wrote to a number last.
        self.wrote_at: dict[tuple[str, str], float] = {}
        #: People who cannot be reached.
        self.blocked: set[tuple[str, str]] = set()
        self._last = 0

    def load(self) -> None:
        """Take up where an earlier run stopped."""
        self.book.load("id")
        self._last = max((message.seq for message in self.book), default=0)

    def next_id(self, wa_id: str) -> tuple[int, str]:
        """The next number, and a message id as WhatsApp makes them: it holds the person's number."""
        self._last += 1
        return self._last, "wamid." + base64.b64encode(f"\x1d\x0b{wa_id}\x15{self._last:012d}".encode()).decode()

    def put(self, message: WhatsAppMessage) -> None:
        """Write a message down, or its new status."""
        self.book.put(message.id, message)

    def hear(self, number: str, wa_id: str) -> None:
        """A person has written: the window is open."""
        self.wrote_at[number, wa_id] = time.monotonic()

    def is_open(self, number: str, wa_id: str, seconds: float) -> bool:
        """Whether the person wrote within the window."""
        wrote_at = self.wrote_at.get((number, wa_id))
        return wrote_at is not None and time.monotonic() - wrote_at < seconds

    def clear(self) -> None:
        """Start again with empty chats; numbers go on, webhooks stay set."""
        self.book.clear()
        for stored in (self.media, self.wrote_at, self.blocked):
            stored.clear()
