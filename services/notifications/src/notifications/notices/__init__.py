"""Emails to the shops themselves, at their support address: what their staff must know."""

from notifications.notices.handlers import endpoint_disabled
from notifications.notices.tasks import SendNotice

__all__ = ["SendNotice", "endpoint_disabled"]
