"""The metrics of the Telegram bot."""

from prometheus_client import CollectorRegistry, Counter


class TelegramMetrics:
    """Counters of what the bot receives and sends."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.updates = Counter(
            "telegram_updates",
            "Updates of the Telegram bot by storefront and outcome",
            ["storefront", "outcome"],
            registry=registry,
        )
        self.messages = Counter(
            "telegram_messages",
            "Messages of the Telegram bot by storefront and outcome",
            ["storefront", "outcome"],
            registry=registry,
        )
