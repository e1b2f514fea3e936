"""Values of an email's delivery, and the payload of the tasks that send emails."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from shared.contracts import OrderEvent
from shared.task_payload import TaskPayload

#: The task that sends a kind of email, where it is not `mail`.
_TASKS = {
    "qr": "deliver_qr",
    "resend": "deliver_qr",
    "refund": "mail_refund",
    "code": "send_code",
    "data_low": "mail_reminder",
    "expiring": "mail_reminder",
    "ending": "mail_reminder",
}
#: Emails that no contract demands: one a day for a mailbox, and their reader can switch them off (reminders.py).
REMINDERS = frozenset({"data_low", "expiring", "ending"})
#: Kinds that other facts may have made pointless before their own arrives: the tables are read.
READ_FIRST = REMINDERS | {"held", "released", "lapsed", "expired"}
#: `deliver_qr` and `mail_refund` sent one kind of email when their keys were chosen: those keys name no kind.
_KEYS_WITHOUT_KIND = {"deliver_qr": "qr", "mail_refund": "refund"}


class EmailKey(NamedTuple):
    """What identifies an email: its kind, and the subject (an order, a refund, a receipt, ...)."""

    kind: str
    subject_id: UUID

    @property
    def task_kind(self) -> str:
        """The kind of the task that sends this email."""
        return _TASKS.get(self.kind, "mail")

    @property
    def task_key(self) -> str:
        """The key of that task: `<kind>:<subject>`, or the subject alone."""
        if self.kind in _KEYS_WITHOUT_KIND.values():
            return str(self.subject_id)
        return f"{self.kind}:{self.subject_id}"

    @classmethod
    def of_task(cls, task_kind: str, task_key: str) -> "EmailKey":
        """The email that a task sends."""
        kind, _, subject = task_key.rpartition(":")
        return cls(kind or _KEYS_WITHOUT_KIND.get(task_kind, ""), UUID(subject))


class EmailPayload(TaskPayload):
    """Payload of the tasks that send emails. The buyer's id is stored so that an erasure finds the task."""

    buyer_id: UUID


@dataclass(frozen=True, slots=True)
class Contact:
    """The name, addresses and language of a buyer."""

    name: str
    email: str
    language: str
    phone: str | None = None
    #: The legal person that the order is for, with its number.
    company: str | None = None

    @classmethod
    def of(cls, row: Any) -> "Contact":
        """From a row with the columns of `contacts`."""
        company = row.company and f"{row.company['name']}, {row.company['number']}"
        return cls(row.name, row.email, row.language, row.phone, company or None)


@dataclass(frozen=True, slots=True)
class TracedEvent:
    """The event that an email is about, and the trace that the email continues."""

    event: OrderEvent
    trace: str | None


@dataclass(frozen=True, slots=True)
class DueEmail:
    """The event that a due email is about, and the buyer's contact.

    Without a contact the email is not sent: it is dropped, or withheld while the buyer's data is blocked.
    """

    event: Any
    contact: Contact | None
    withheld: bool = False


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """What became of an email. The codes are those of the mail server that refused it."""

    email: EmailKey
    event: Any
    state: Literal["sent", "refused", "dropped", "blocked"]
    at: datetime
    smtp_code: int | None = None
    enhanced_code: str | None = None
    channel: Literal["email", "sms"] = "email"
