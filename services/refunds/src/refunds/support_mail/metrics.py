"""The metrics of e-mails to shops."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class MailMetrics:
    """What became of mails, how many wait for an agent, and whether mailboxes can be read."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.mails = Counter(
            "support_mails", "E-mails to shops by storefront and outcome", ["storefront", "outcome"], registry=registry
        )
        self.waiting = Gauge(
            "support_mails_waiting", "E-mails that wait for an agent", ["storefront"], registry=registry
        )
        self.readable = Gauge(
            "support_mailbox_readable", "1: the mailbox was read in the last round", ["storefront"], registry=registry
        )

    def show_waiting(self, counts: dict[str, int]) -> None:
        """Show how many mails wait, by storefront."""
        self.waiting.clear()
        for storefront, count in counts.items():
            self.waiting.labels(storefront).set(count)
