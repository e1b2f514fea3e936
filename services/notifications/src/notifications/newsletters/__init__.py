"""Newsletters of a storefront to the mailboxes that agreed to them (PP 4.6)."""

from notifications.newsletters.routes import CallingAuthor
from notifications.newsletters.store import agree, bounced

__all__ = [
    "CallingAuthor",
    "agree",
    "bounced",
]
