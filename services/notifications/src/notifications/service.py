"""Notifications, assembled."""

import base64

from aiosmtplib import SMTP

from notifications import storefronts
from notifications.accounts import Accounts
from notifications.adapters.instant import InstantMailer
from notifications.adapters.ordering import OrderingDesk
from notifications.adapters.refunds import RefundDesk
from notifications.adapters.sms import HttpTexter
from notifications.adapters.smtp import SmtpMailer
from notifications.api import account, bounces, newsletters, rights, unsubscribe
from notifications.consumers.contacts import Contacts
from notifications.consumers.mailing import Mailing
from notifications.consumers.orders import Orders
from notifications.consumers.refunds import Refunds
from notifications.consumers.requests import Requests
from notifications.domain.delivery import Mailer
from notifications.domain.signature import Signature
from notifications.domain.texting import Texter
from notifications.domain.tickets import Tickets
from notifications.live import Live
from notifications.privacy import HELD
from notifications.recent import Recent
from notifications.settings import Settings
from notifications.work.codes import SendCode
from notifications.work.letters import DeliverQr, MailRefund, SendNote
from notifications.work.newsletters import PlanNewsletter, SendNewsletter
from notifications.work.sending import Sending
from notifications.work.watch import WatchExpiry, WatchOrders, WatchPlan
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
    recent = Recent()
    mailing = Mailing(recent)
    contacts, orders, refunds, requests = (
        Contacts(recent, settings.resend_limit),
        Orders(mailing, settings),
        Refunds(mailing, settings),
        Requests(mailing, recent),
    )
    sending = Sending(
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
            ConfirmationRequested: requests.confirmation_requested,
            OrderHeld: requests.order_held,
            OrderRefused: requests.order_refused,
            BuyerErasureRequested: requests.buyer_erasure_requested,
        }
    )
    service.forgets(BuyerContact, contacts.buyer_erased)
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
    accounts = Accounts(service.database, sending.links, settings)
    live = Live(accounts)
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
    account.install(service.app)
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


def _refund_desk(settings: Settings, service: Service) -> RefundDesk | None:
    if settings.refunds_url is None:
        return None
    desk = RefundDesk(settings.refunds_url, settings.refunds_keys, service.tracing)
    service.closes(desk.close)
    return desk


def _ordering_desk(settings: Settings, service: Service) -> OrderingDesk | None:
    if settings.ordering_url is None:
        return None
    desk = OrderingDesk(settings.ordering_url, settings.ordering_keys, service.tracing, settings.privacy_key)
    service.closes(desk.close)
    return desk


def _texter(settings: Settings, service: Service) -> Texter | None:
    if settings.sms_url is None or settings.sms_key is None:
        return None
    texter = HttpTexter(settings.sms_url, settings.sms_key, timeout_seconds=settings.sms_timeout_seconds)
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
