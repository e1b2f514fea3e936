"""The watched services: polled, and shown with their last answers."""

from operations.services.polling import ServicePolling
from operations.services.store import last_answers

__all__ = ["ServicePolling", "last_answers"]
