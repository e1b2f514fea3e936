"""Notifications, assembled."""

import base64

from aiosmtplib import SMTP

from notifications import storefronts
from notifications.account.live import OrderFollowers
from notifications.account.routes import page as account
from notifications.account.routes import rights
from notifications.account.rules.tickets import Tickets
from notifications.account.store import AccountStore
from notifications.bounces import routes as bounces
from notifications.clients.instant import InstantMailer
from notifications.clients.mail import Mailer
from notifications.clients.ordering import OrderingClient
from notifications.clients.refunds import RefundsClient
from notifications.clients.sms import SmsGateway
from notifications.clients.smtp import SmtpMailer
from notifications.clients.texting import Texter
from notifications.confirmations.handlers import ConfirmationHandlers
from notifications.confirmations.tasks import SendCode
from notifications.contacts.handlers import ContactHandlers
from notifications.delivery.cache import RecentEmails
from notifications.delivery.sending import EmailSender
from notifications.delivery.store import EmailQueue
from notifications.delivery.tasks import DeliverQr, MailRefund, SendNote
from notifications.emails.rules.dkim import Signature
from notifications.newsletters import routes as newsletters
from notifications.newsletters import unsubscribe
from notifications.newsletters.tasks import PlanNewsletter, SendNewsletter
from notifications.orders.handlers import OrderHandlers
from notifications.orders.tasks import WatchExpiry, WatchOrders, WatchPlan
from notifications.pages import answer_bad_links
from notifications.privacy.handlers import ErasureHandlers
from notifications.privacy.store import HELD
from notifications.refunds.handlers import RefundHandlers
from notifications.settings import Settings
from shared.clock import Clock
from shared.contracts import (
    AppealReceived,
    BuyerContact,
    BuyerErasureRequested,
    ClaimReceived,
    ConfirmationRequested,
    InformationNeeded,
    OrderHeld,
    OrderPaid,
    OrderRefused,
    ProfileExpired,
    ProfileFailed,
    ProfileGenerated,
    ProfileObserved,
    ProfileRevoked,
    ReceiptIssued,
    RefundApproved,
    RefundDenied,
    RefundFailed,
    RefundPaidByHand,
    RefundRetried,
    RefundSettled,
    TopUpApplied,
)
from shared.kernel.privacy import exports
from shared.kernel.service import Service

#: aiosmtplib's `start_tls`: None takes it where the server offers it.
_START_TLS = {"auto": None, "starttls": True, "implicit": False, "off": False}


def build(settings: Settings, *, clock: Clock | None = None) -> Service:
    """The service with its consumers and jobs."""
    service = Service("notifications", settings, clock=clock)
    mailer = _mailer(settings, settings.smtp_connections)
    slow = _mailer(settings, settings.newsletter_connections)
    service.closes(mailer.close)
    service.closes(slow.close)
    recent = RecentEmails()
    mailing = EmailQueue(recent)
    contacts = ContactHandlers(recent, settings.resend_limit)
    orders = OrderHandlers(mailing, settings)
    refunds = RefundHandlers(mailing, settings)
    confirmations = ConfirmationHandlers(mailing)
    erasures = ErasureHandlers(recent)
    sending = EmailSender(
        settings,
        mailer,
        storefronts.load(),
        _signers(settings),
        service.database,
        service.tracing,
        service.metrics.registry,
        recent,
    )
    service.consumes(
        {
            BuyerContact: contacts.buyer_contact,
            OrderPaid: orders.order_paid,
            ReceiptIssued: orders.receipt_issued,
            ProfileGenerated: orders.profile_generated,
            ProfileFailed: orders.profile_failed,
            ProfileObserved: orders.profile_observed,
            ProfileRevoked: orders.profile_revoked,
            ProfileExpired: orders.profile_expired,
            TopUpApplied: orders.top_up_applied,
            InformationNeeded: refunds.information_needed,
            RefundApproved: refunds.refund_approved,
            RefundDenied: refunds.refund_denied,
            RefundSettled: refunds.refund_settled,
            RefundFailed: refunds.refund_failed,
            RefundRetried: refunds.refund_retried,
            RefundPaidByHand: refunds.refund_paid_by_hand,
            AppealReceived: refunds.appeal_received,
            ClaimReceived: refunds.claim_received,
            ConfirmationRequested: confirmations.confirmation_requested,
            OrderHeld: orders.order_held,
            OrderRefused: orders.order_refused,
            BuyerErasureRequested: erasures.buyer_erasure_requested,
        }
    )
    service.forgets(BuyerContact, erasures.contact_erased)
    service.performs(
        DeliverQr(sending, service.opener),
        MailRefund(sending),
        SendNote(sending),
        SendCode(sending, service.opener, _texter(settings, service)),
        PlanNewsletter(sending),
        SendNewsletter(
            sending, slow, settings.newsletter_connections, settings.newsletters_per_second, service.leaving
        ),
        WatchOrders(mailing),
        WatchExpiry(mailing),
        WatchPlan(mailing, service.database, settings),
    )
    accounts = AccountStore(service.database, sending.links, settings)
    live = OrderFollowers(accounts)
    service.runs(live.run)
    desk = account.Desk(
        accounts=accounts,
        live=live,
        links=sending.links,
        opener=service.opener,
        storefronts=sending.storefronts,
        refunds=_refund_desk(settings, service),
        ordering=_ordering_desk(settings, service),
        leaving=service.leaving,
    )
    service.serves(account.router(desk), exports(service.database, settings.privacy_key, HELD))
    answer_bad_links(service.app)
    if desk.ordering is not None:
        tickets = Tickets(base64.b64decode(settings.link_key.get_secret_value(), validate=True))
        service.serves(rights.router(desk, tickets, desk.ordering, service.clock))
    authors = newsletters.Authors(settings.storefront_keys, settings.agent_keys, sending.storefronts)
    service.serves(
        newsletters.router(service.database, authors),
        unsubscribe.router(service.database, sending.links, sending.storefronts),
    )
    if settings.bounce_key is not None:
        bounce_key = settings.bounce_key.get_secret_value()
        service.serves(bounces.router(service.database, sending.links, bounce_key, service.metrics.registry))
    return service


def _signers(settings: Settings) -> dict[str, tuple[Signature, ...]]:
    """Raises NotASigningKeyError, at the start rather than with the first mail."""
    return {
        slug: tuple(Signature.of(key.domain, key.selector, key.private_key.get_secret_value()) for key in keys)
        for slug, keys in settings.dkim_keys.items()
    }


def _refund_desk(settings: Settings, service: Service) -> RefundsClient | None:
    if settings.refunds_url is None:
        return None
    desk = RefundsClient(settings.refunds_url, settings.refunds_keys, service.tracing)
    service.closes(desk.close)
    return desk


def _ordering_desk(settings: Settings, service: Service) -> OrderingClient | None:
    if settings.ordering_url is None:
        return None
    desk = OrderingClient(settings.ordering_url, settings.ordering_keys, service.tracing, settings.privacy_key)
    service.closes(desk.close)
    return desk


def _texter(settings: Settings, service: Service) -> Texter | None:
    if settings.sms_url is None or settings.sms_key is None:
        return None
    texter = SmsGateway(settings.sms_url, settings.sms_key, timeout_seconds=settings.sms_timeout_seconds)
    service.closes(texter.close)
    return texter


def _mailer(settings: Settings, connections: int) -> Mailer:
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
        connections=connections,
        final_timeout_seconds=settings.smtp_final_timeout_seconds,
    )
