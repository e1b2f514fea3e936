"""The buyers' contact data: who is the buyer (I14), corrections (PP 6.1), and the codes that confirm requests."""

from ordering.contact.actions import correct, lock_mailbox_of, order_with_contact, requester_of, set_blocked
from ordering.contact.codes import ConfirmationCodes
from ordering.contact.handlers import HANDLERS
from ordering.contact.store import lock_mailbox, prove

__all__ = [
    "HANDLERS",
    "ConfirmationCodes",
    "correct",
    "lock_mailbox",
    "lock_mailbox_of",
    "order_with_contact",
    "prove",
    "requester_of",
    "set_blocked",
]
