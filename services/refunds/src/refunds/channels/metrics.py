"""The metrics of a channel."""

from prometheus_client import CollectorRegistry, Counter


class ChannelMetrics:
    """Counters of what a channel receives and sends: `telegram_updates`, `telegram_messages`, ..."""

    def __init__(self, registry: CollectorRegistry, channel: str) -> None:
        labels = ["storefront", "outcome"]
        received, sent = f"Messages from {channel}, by outcome", f"Messages to {channel}, by outcome"
        self.updates = Counter(f"{channel}_updates", received, labels, registry=registry)
        self.messages = Counter(f"{channel}_messages", sent, labels, registry=registry)
