"""What Telegram posts to the webhook (Bot API, `Update`), as far as the bot reads it."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from shared.values.count import Count, Id64
from shared.values.text import Cleaned

#: A caption or text is at most 4096 characters; file ids are opaque.
Words = Annotated[str, Cleaned(4096, lines=True)]
Word = Annotated[str, Cleaned(200)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Chat(_Part):
    """Where it was written; the bot talks in private chats only."""

    id: Id64
    type: Word = "private"


class User(_Part):
    """Who wrote it. Names are not read."""

    id: Id64 = 0
    language_code: Word = ""


class Contact(_Part):
    """A shared phone number; `user_id` tells whose."""

    phone_number: Word = Field(repr=False)
    user_id: Id64 | None = None


class File(_Part):
    """A photo's size, or a document."""

    file_id: Word


class Message(_Part):
    """A message to the bot."""

    chat: Chat
    sender: User = Field(default=User(), alias="from")
    text: Words = Field("", repr=False)
    caption: Words = Field("", repr=False)
    photo: tuple[File, ...] = ()
    document: File | None = None
    contact: Contact | None = None

    @property
    def words(self) -> str:
        """What was typed: a text, a caption, or a phone number that is the sender's own."""
        if self.contact is not None and self.contact.user_id in (None, self.sender.id):
            return self.contact.phone_number
        return (self.text or self.caption).strip()

    @property
    def file(self) -> str | None:
        """A reference to what was sent along; the largest size of a photo comes last."""
        if self.document is not None:
            return self.document.file_id
        return self.photo[-1].file_id if self.photo else None


class Update(_Part):
    """One update. `message` is None for all that the bot has no use for (edits, channels, members)."""

    update_id: Count
    message: Message | None = None
