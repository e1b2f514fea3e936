"""Telegram's books: every message of every chat, in both directions, and each bot's webhook."""

from typing import Literal

from pydantic import BaseModel, Field

from sandbox.clock import now
from sandbox.ledger import CamelModel, Journal, Ledger


class ChatMessage(CamelModel):
    """One message. `update_id` where a person wrote it; `buttons` where the bot did."""

    id: int
    bot: str
    chat_id: int
    direction: Literal["to_bot", "from_bot"]
    text: str
    file_id: str | None = None
    buttons: list[list[str]] = Field(default_factory=list)
    update_id: int | None = None
    at: str = Field(default_factory=now)


class Webhook(BaseModel):
    """Where a bot's updates go, and the secret that goes along."""

    url: str = ""
    secret_token: str = ""


class TelegramLedger:
    """Messages by their number; webhooks by bot, which live as long as the sandbox."""

    def __init__(self, journal: Journal) -> None:
        self.book: Ledger[ChatMessage] = Ledger(ChatMessage, journal)
        self.webhooks: dict[str, Webhook] = {}
        #: Chats whose people have blocked the bot.
        self.blocked: set[tuple[str, int]] = set()
        #: Files that people sent, by file_id; they live as long as the sandbox.
        self.files: dict[str, bytes] = {}
        self._last = 0

    def load(self) -> None:
        """Take up where an earlier run stopped."""
        self.book.load("id")
        self._last = max((message.id for message in self.book), default=0)

    def next_id(self) -> int:
        """The next message's number; updates are numbered with their messages."""
        self._last += 1
        return self._last

    def put(self, message: ChatMessage) -> None:
        """Write a message down."""
        self.book.put(str(message.id), message)

    def knows(self, bot: str, chat_id: int) -> bool:
        """Whether this person has written to the bot: a bot cannot write first."""
        return any(
            message.direction == "to_bot" and (message.bot, message.chat_id) == (bot, chat_id) for message in self.book
        )

    def clear(self) -> None:
        """Start again with empty chats; numbers go on, webhooks stay set."""
        self.book.clear()
        self.blocked.clear()
        self.files.clear()
