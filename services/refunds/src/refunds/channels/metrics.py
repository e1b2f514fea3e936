"""The metrics of the channels."""

from prometheus_client import CollectorRegistry, Counter


class ChannelMetrics:
    """Counters of what a channel receives and sends: `telegram_updates`, `telegram_messages`, ..."""

    def __init__(self, registry: CollectorRegistry, channel: str) -> None:
        labels = ["storefront", "outcome"]
        received, sent = f"Messages from {channel}, by outcome", f"Messages to {channel}, by outcome"
        self.updates = Counter(f"{channel}_updates", received, labels, registry=registry)
        self.messages = Counter(f"{channel}_messages", sent, labels, registry=registry)


def whatsapp_statuses(registry: CollectorRegistry) -> Counter:
    """What WhatsApp reports about our messages, each once."""
    help_ = "Statuses of messages to WhatsApp: sent, delivered, read, failed"
    return Counter("whatsapp_statuses", help_, ["storefront", "status"], registry=registry)


def contact_form_metric(registry: CollectorRegistry) -> Counter:
    """What became of messages of contact forms: `waiting`, or `repeated`."""
    help_ = "Messages of contact forms by storefront and outcome"
    return Counter("contact_form_messages", help_, ["storefront", "outcome"], registry=registry)
