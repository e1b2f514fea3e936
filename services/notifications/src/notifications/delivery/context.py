"""What all tasks that send emails share."""

from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry, Counter

from notifications.clients.mail import Mailer
from notifications.delivery.cache import RecentEmails
from notifications.delivery.reader import DueEmailReader
from notifications.emails import Sender
from notifications.settings import Settings
from shared.database import Database
from shared.sealed import Opener
from shared.telemetry.tracing import Tracing


class DeliveryContext:
    """The mail server, the sender, the reader of due emails, and the counters of what became of them."""

    def __init__(
        self,
        settings: Settings,
        mailer: Mailer,
        sender: Sender,
        database: Database,
        tracing: Tracing,
        registry: CollectorRegistry,
        recent: RecentEmails,
        opener: Opener,
    ) -> None:
        self.opener = opener
        self.concurrency = settings.smtp_connections
        self.give_up_after = timedelta(seconds=settings.mail_give_up_seconds)
        self.mailer = mailer
        self.sender = sender
        self.database = database
        self.reader = DueEmailReader(database, recent)
        self.tracing = tracing
        self.registry = registry
        self.emails = Counter("mails", "Emails settled, by kind and outcome", ["kind", "outcome"], registry=registry)
        self.uncertain = Counter(
            "mail_uncertain",
            "Emails accepted that an earlier attempt without a reply may have sent too",
            registry=registry,
        )

    def now(self) -> datetime:
        """The present time."""
        return self.database.clock.now()
