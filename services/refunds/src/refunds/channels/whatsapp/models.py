"""What WhatsApp posts to the webhook (docs/wire/whatsapp.md), and the tasks of messages and files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from shared.contracts import Language
from shared.sealed import Sealed
from shared.task_payload import TaskPayload
from shared.values.text import Cleaned

Words = Annotated[str, Cleaned(4096, lines=True)]
#: Ids are opaque; those of messages hold the sender's number.
Id = Annotated[str, StringConstraints(min_length=1, max_length=500)]
#: A media id is a part of an address.
MediaId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,200}$")]
#: A telephone number without a plus.
WaId = Annotated[str, StringConstraints(pattern=r"^[0-9]{5,15}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Text(_Part):
    """A text."""

    body: Words = Field("", repr=False)


class Media(_Part):
    """A picture or a document."""

    id: MediaId
    caption: Words = Field("", repr=False)
    filename: Annotated[str, Cleaned(200)] = Field("", repr=False)


class WebhookMessage(_Part):
    """A message of a buyer. Other kinds (voice, places, ...) have none of the parts."""

    sender: WaId = Field(alias="from", repr=False)
    id: Id = Field(repr=False)
    type: Annotated[str, Cleaned(40)] = ""
    text: Text = Text()
    image: Media | None = None
    document: Media | None = None

    @property
    def media(self) -> Media | None:
        """The file that was sent."""
        return self.image or self.document

    @property
    def words(self) -> str:
        """The text, or what was written below the file."""
        return (self.text.body or (self.media.caption if self.media else "")).strip()


class StatusError(_Part):
    """Why a message of ours was not delivered."""

    code: int = 0


class Status(_Part):
    """What became of a message of ours: `sent`, `delivered`, `read`, `failed`."""

    id: Id = Field(repr=False)
    status: Annotated[str, Cleaned(40)]
    recipient_id: WaId = Field(repr=False)
    errors: tuple[StatusError, ...] = ()


@dataclass(slots=True, frozen=True)
class Unreadable:
    """A message or status that cannot be read."""


#: Messages that nobody answers: a reaction to one of ours, and what WhatsApp itself reports.
NO_MESSAGE = frozenset({"reaction", "system", "unsupported", "request_welcome"})


def read_webhook(
    body: object, storefronts: Mapping[str, str]
) -> Iterator[tuple[str, WebhookMessage | Status | Unreadable]]:
    """The messages and statuses of our numbers with their storefronts, each read by itself. Never raises.

    `storefronts`: by phone_number_id. What is of another number is left out.
    """
    for entry in _list(body, "entry"):
        for change in _list(entry, "changes"):
            value = change.get("value") if isinstance(change, dict) else None
            metadata = value.get("metadata") if isinstance(value, dict) else None
            storefront = storefronts.get(str(metadata.get("phone_number_id"))) if isinstance(metadata, dict) else None
            if storefront is None:
                continue
            for name, model in (("messages", WebhookMessage), ("statuses", Status)):
                for row in _list(value, name):
                    yield storefront, _read(model, row)


def _read(model: type[WebhookMessage | Status], row: object) -> WebhookMessage | Status | Unreadable:
    try:
        return model.model_validate(row)
    except ValidationError:
        return Unreadable()


def _list(value: object, name: str) -> list[Any]:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


class WhatsAppMessagePayload(TaskPayload):
    """A message to one buyer; after `window_ends` only that there is news. `chat`: the sealed number."""

    storefront: str
    chat: Sealed
    text: str = Field(repr=False)
    language: Language
    window_ends: datetime
    #: What an agent wrote, sealed to this service. The release before sends the text alone, which names the e-mail.
    agent_words: Sealed | None = None
