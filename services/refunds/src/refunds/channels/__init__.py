"""The Telegram bot: it asks for what the seller's policy requires, opens the case, and brings the answer."""
