"""Channels through which buyers request refunds themselves: the Telegram bot of a storefront.

The bot asks for what the policy of the seller requires, opens the case, and sends its answers.
"""

from refunds.channels.store import ERASE_CHATS

__all__ = ["ERASE_CHATS"]
