"""The Telegram bot of a storefront."""
