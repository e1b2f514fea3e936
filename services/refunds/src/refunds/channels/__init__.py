"""Channels through which buyers request refunds themselves, by one conversation.

It asks for what the policy of the seller requires, opens the case, and sends the answers of the case.
"""

from refunds.channels.store import ERASE_CHATS

__all__ = ["ERASE_CHATS"]
