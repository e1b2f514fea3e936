"""A conversation about a refund: its state, a message of the buyer, and what follows from it. Values only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from refunds.policy import Reason, Required
from refunds.support_mail.models import File, FileRefusal
from shared.contracts import NEAREST, Language
from shared.sealed import Sealed
from shared.task_payload import TaskPayload


class State(BaseModel):
    """The state of a conversation. It is sealed where it is stored, and dropped when the request is registered.

    Stored under the names that release 1.0 reads, which are the aliases.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)

    language: Language = "en"
    #: The question that was asked last; None: none.
    step: str | None = None
    reason: Reason | None = None
    #: By step: the values as they were given.
    answers: dict[str, str] = Field(default_factory=dict, alias="told", repr=False)
    #: How often order number and contact did not match, and since when.
    mismatches: int = 0
    mismatched_at: datetime | None = None
    #: Messages within the current hour, and when that hour began.
    messages: int = Field(0, alias="heard")
    messages_since: datetime | None = Field(None, alias="heard_since")

    @model_validator(mode="before")
    @classmethod
    def _own_language(cls, row: Any) -> Any:
        return {**row, "language": row["speaks"]} if isinstance(row, dict) and "speaks" in row else row

    @model_serializer(mode="wrap")
    def _with_nearest_language(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The release before reads `language` and knows two: the nearest stands there, our own in `speaks`."""
        row: dict[str, Any] = handler(self)
        nearest = NEAREST.get(self.language)
        return row if nearest is None else row | {"language": nearest, "speaks": self.language}


@dataclass(slots=True, frozen=True, kw_only=True)
class Message:
    """A message of the buyer, as a channel has read it.

    `language`: of an answer, where the conversation has none yet. `phone`: the sender's number, where the channel
    vouches for it. `file`: how a file that was sent along is called in the notes of the case.
    """

    words: str = field(repr=False)
    language: Language
    file: str | None = None
    #: The file itself, where the channel has downloaded it, or why it cannot be kept as evidence.
    content: File | None = field(default=None, repr=False)
    refusal: FileRefusal | None = None
    phone: str | None = field(default=None, repr=False)


class SentFile(BaseModel):
    """A file that a buyer has sent and that is to be downloaded. Sealed where it is stored.

    `language`: None where nothing says it; `phone`: as in a message.
    """

    chat_id: int = Field(repr=False)
    file_id: str = Field(repr=False)
    name: str = Field("", repr=False)
    caption: str = Field("", repr=False)
    language: Language | None = None
    phone: str | None = Field(None, repr=False)


class FilePayload(TaskPayload):
    """The task of one file. `sealed`: the SentFile."""

    storefront: str
    message_id: int
    sealed: Sealed


@dataclass(slots=True, frozen=True)
class OrderContext:
    """What is known about the order whose number was given; revealed to nobody.

    `requirements`: what the policy requires for a reason. `phone`: the sender's number, where it is the order's own.
    """

    requirements: Callable[[Reason], Sequence[Required]]
    phone: str | None = field(default=None, repr=False)


@dataclass(slots=True, frozen=True)
class OpenCase:
    """Everything that the policy requires has been answered: open or join the case."""


@dataclass(slots=True, frozen=True)
class ShowStatus:
    """Say how the chat's last case stands."""


@dataclass(slots=True, frozen=True)
class AddFile:
    """Add the file to the chat's last case; where there is none, say so."""


@dataclass(slots=True, frozen=True)
class FileAppeal:
    """Appeal against the denial of the chat's last case, with these words."""

    words: str = field(repr=False)


Intent = OpenCase | ShowStatus | AddFile | FileAppeal


@dataclass(slots=True, frozen=True)
class Turn:
    """The state after a message, and the answer; where there is an `intent`, the answer follows from that."""

    state: State
    text: str = ""
    intent: Intent | None = None
