"""Which email a buyer gets, when it is due, and how it is handed to the mail server."""

from notifications.delivery.cache import RecentEmails
from notifications.delivery.context import DeliveryContext
from notifications.delivery.models import REMINDERS, Contact, DeliveryResult, EmailKey, EmailPayload, TracedEvent
from notifications.delivery.reminders import is_off, switch_off, switch_on
from notifications.delivery.rules import EVEN_IF_BLOCKED, delivery_failed, open_code, qr_delivered
from notifications.delivery.store import EmailQueue, by_subject, schedule
from notifications.delivery.tasks import SendNote, SendReminder

__all__ = [
    "EVEN_IF_BLOCKED",
    "REMINDERS",
    "Contact",
    "DeliveryContext",
    "DeliveryResult",
    "EmailKey",
    "EmailPayload",
    "EmailQueue",
    "RecentEmails",
    "SendNote",
    "SendReminder",
    "TracedEvent",
    "by_subject",
    "delivery_failed",
    "is_off",
    "open_code",
    "qr_delivered",
    "schedule",
    "switch_off",
    "switch_on",
]
