"""The gateway's books: every message by its sender's own id."""

from pydantic import Field

from sandbox.clock import now
from sandbox.ledger import CamelModel, Journal, Ledger


class TextMessage(CamelModel):
    """A message that was accepted. `repeats`: how often it was handed in again under its id, and not sent again."""

    id: str
    to: str
    sender: str
    text: str
    repeats: int = 0
    at: str = Field(default_factory=now)


class SmsLedger:
    """Messages in the order in which they were accepted."""

    def __init__(self, journal: Journal) -> None:
        self.book: Ledger[TextMessage] = Ledger(TextMessage, journal)

    def load(self) -> None:
        """Take up where an earlier run stopped."""
        self.book.load("id")

    def accept(self, message: TextMessage) -> bool | None:
        """Write it down: True where it is new, False where it is known, None where its id stands for another one."""
        known = self.book.get(message.id)
        if known is None:
            self.book.put(message.id, message)
            return True
        if (known.to, known.sender, known.text) != (message.to, message.sender, message.text):
            return None
        self.book.put(message.id, known.model_copy(update={"repeats": known.repeats + 1}))
        return False

    def to(self, phone: str) -> list[TextMessage]:
        """What a phone got, oldest first; all messages for an empty number."""
        return [message for message in self.book if phone in message.to]
