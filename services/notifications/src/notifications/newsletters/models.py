"""Values of newsletters, and the payloads of their tasks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple
from uuid import UUID

from pydantic import Field

from shared.task_payload import TaskPayload

#: `planned`: not sent yet. `unknown`: the mail server may have accepted it; it is not sent again.
RecipientState = Literal["sent", "failed", "unknown", "planned"]


@dataclass(frozen=True, slots=True)
class NewsletterText:
    """The content of a newsletter in one language. `text` is CommonMark."""

    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Newsletter:
    """A newsletter with its texts by language."""

    newsletter_id: UUID
    storefront: str
    texts: Mapping[str, NewsletterText]
    stopped: bool


class RecipientResult(NamedTuple):
    """What became of the email to one recipient; `smtp_code` if the mailbox refused it."""

    buyer_id: UUID
    state: RecipientState
    smtp_code: int | None = None


class PlanPayload(TaskPayload):
    """Payload of `plan_newsletter`: plan the recipients with ids after `after` (None: from the first)."""

    newsletter_id: UUID = Field(alias="newsletter")
    after: UUID | None


class RecipientRange(TaskPayload):
    """Payload of `send_newsletter`: recipients with ids after `after` (None: from the first) up to `last`."""

    newsletter_id: UUID = Field(alias="newsletter")
    after: UUID | None
    last: UUID
