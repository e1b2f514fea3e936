"""Privacy requests (PP 6.2): export, block, unblock and erase, and the proof that an erasure was done everywhere."""

from ordering.privacy.actions import erase_again
from ordering.privacy.handlers import HANDLERS
from ordering.privacy.tasks import DeleteExpiredRecords, RepeatTombstone

__all__ = ["HANDLERS", "DeleteExpiredRecords", "RepeatTombstone", "erase_again"]
