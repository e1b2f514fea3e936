"""What a shop's server sends of a conversation and gets back, and the task of a later answer."""

from base64 import b64decode
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from refunds.support_mail.rules.file_types import LARGEST_FILE
from shared.contracts import Language
from shared.sealed import Sealed
from shared.task_payload import TaskPayload
from shared.values.count import Count
from shared.values.text import Line, Lines

#: A file of 10 MiB as base64, with a text beside it.
LARGEST_MESSAGE = LARGEST_FILE * 4 // 3 + 64 * 1024


def _decoded(value: object) -> bytes:
    """The bytes of a base64 text. Raises ValueError also for characters that do not belong there."""
    try:
        return b64decode(value if isinstance(value, str) else "*", validate=True)
    except ValueError:
        raise ValueError("must be base64") from None


class SentFile(BaseModel):
    """A picture or PDF. Its type is read from its content."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Line(200, 0)] = Field("", repr=False)
    content: Annotated[
        bytes, BeforeValidator(_decoded), WithJsonSchema({"type": "string", "contentEncoding": "base64"})
    ] = Field(repr=False, description="at most 10 MiB decoded")


class MessageBody(BaseModel):
    """What the visitor wrote. `language`: of the answers; without it the conversation keeps its own, or the shop's."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Lines(4096, 0)] = Field("", repr=False)
    language: Language | None = None
    file: SentFile | None = None


class Answer(BaseModel):
    """What is written to the visitor. `number` counts the answers of a conversation from 1, without a gap.

    `buttons`: rows of texts that the visitor may choose from, and that are sent as they are; none: any text.
    """

    number: Count
    text: str = Field(repr=False)
    language: Language
    buttons: list[list[str]] = Field(default_factory=list)
    at: datetime


class Answers(BaseModel):
    """The answers, the first one first. More of them may be left where there are 100."""

    answers: list[Answer]


class StoredAnswer(BaseModel):
    """What is sealed of an answer where it is stored."""

    text: str = Field(repr=False)
    language: Language
    buttons: list[list[str]] = Field(default_factory=list)


class AnswerPayload(TaskPayload):
    """An answer that comes later than the visitor's message. `chat`, `answer` (StoredAnswer), `agent_words`: sealed."""

    storefront: str
    chat: Sealed
    key: str
    answer: Sealed
    agent_words: Sealed | None = None
