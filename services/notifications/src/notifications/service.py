"""Notifications, assembled."""

from aiosmtplib import SMTP

from notifications import storefronts
from notifications.adapters.instant import InstantMailer
from notifications.adapters.smtp import SmtpMailer
from notifications.consumers import Facts
from notifications.domain.delivery import Mailer
from notifications.recent import Recent
from notifications.settings import Settings
from notifications.work import DeliverQr, MailRefund, Sending
from shared.clock import Clock
from shared.contracts import BuyerContact, ProfileGenerated, RefundApproved
from shared.kernel.service import Service

#: aiosmtplib's `start_tls`: None takes it where the server offers it.
_START_TLS = {"auto": None, "starttls": True, "implicit": False, "off": False}


def build(settings: Settings, *, clock: Clock | None = None) -> Service:
    """The service with its consumers and jobs."""
    service = Service("notifications", settings, clock=clock)
    mailer = _mailer(settings)
    service.closes(mailer.close)
    recent = Recent()
    facts = Facts(recent)
    sending = Sending(
        settings, mailer, storefronts.load(), service.database, service.tracing, service.metrics.registry, recent
    )
    service.consumes(
        {
            ProfileGenerated: facts.profile_generated,
            BuyerContact: facts.buyer_contact,
            RefundApproved: facts.refund_approved,
        }
    )
    service.forgets(BuyerContact, facts.buyer_erased)
    service.performs(DeliverQr(sending, service.opener), MailRefund(sending))
    return service


def _mailer(settings: Settings) -> Mailer:
    if settings.mail_adapter == "instant":
        return InstantMailer()

    def client() -> SMTP:
        return SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_username,
            password=settings.smtp_password.get_secret_value() if settings.smtp_password else None,
            local_hostname=settings.mail_domain,
            timeout=settings.smtp_timeout_seconds,
            use_tls=settings.smtp_tls == "implicit",
            start_tls=_START_TLS[settings.smtp_tls],
        )

    return SmtpMailer(
        client,
        connections=settings.smtp_connections,
        final_timeout_seconds=settings.smtp_final_timeout_seconds,
    )
