"""What Telegram posts to the webhook (Bot API, `Update`), as far as the bot reads it."""

from pydantic import BaseModel, ConfigDict, Field

#: A caption or text is at most 4096 characters; file ids are opaque.
_LONGEST = 4096


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Chat(_Part):
    """Where it was written; the bot talks in private chats only."""

    id: int
    type: str = "private"


class User(_Part):
    """Who wrote it. Names are not read."""

    id: int = 0
    language_code: str = ""


class Contact(_Part):
    """A shared phone number; `user_id` tells whose."""

    phone_number: str = Field(repr=False)
    user_id: int | None = None


class File(_Part):
    """A photo's size, or a document."""

    file_id: str


class Message(_Part):
    """A message to the bot."""

    chat: Chat
    sender: User = Field(default=User(), alias="from")
    text: str = Field("", max_length=_LONGEST, repr=False)
    caption: str = Field("", max_length=_LONGEST, repr=False)
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

    update_id: int = Field(ge=0)
    message: Message | None = None
