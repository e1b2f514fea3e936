"""Which email a buyer gets, when it is due, and how it is handed to the mail server."""

from notifications.delivery.cache import Contact, RecentEmails
from notifications.delivery.rules import EVEN_IF_BLOCKED
from notifications.delivery.sending import EmailSender, Settled
from notifications.delivery.store import EmailQueue, TracedEvent, schedule
from notifications.delivery.tasks import SendNote, delivery_failed, qr_delivered

__all__ = [
    "EVEN_IF_BLOCKED",
    "Contact",
    "EmailQueue",
    "EmailSender",
    "RecentEmails",
    "SendNote",
    "Settled",
    "TracedEvent",
    "delivery_failed",
    "qr_delivered",
    "schedule",
]
