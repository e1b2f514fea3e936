"""Emails to the shops themselves: what their staff must know."""

from notifications.notices.handlers import deadline_near, endpoint_disabled
from notifications.notices.tasks import SendAlert, SendNotice

__all__ = ["SendAlert", "SendNotice", "deadline_near", "endpoint_disabled"]
