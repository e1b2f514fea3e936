"""Assembles the service: what it consumes, which tasks it performs, what it serves."""

import asyncio
import base64

from aiosmtplib import SMTP

from notifications import notices
from notifications.account.context import AccountContext
from notifications.account.live import OrderFollowers
from notifications.account.routes import cases, entry, page, rights
from notifications.account.rules.tickets import Tickets
from notifications.account.store import AccountStore
from notifications.account.uploads import AT_ONCE, LARGEST_BODY
from notifications.bounces import routes as bounces
from notifications.clients.instant import InstantMailer
from notifications.clients.mail import Mailer
from notifications.clients.ordering import OrderingClient
from notifications.clients.refunds import RefundsClient
from notifications.clients.sms import SmsGateway
from notifications.clients.smtp import SmtpMailer
from notifications.confirmations.handlers import ConfirmationHandlers
from notifications.confirmations.tasks import SendConfirmationCode
from notifications.contacts.handlers import ContactHandlers
from notifications.delivery.cache import RecentEmails
from notifications.delivery.context import DeliveryContext
from notifications.delivery.store import EmailQueue
from notifications.delivery.tasks import SendActivationCode, SendNote, SendRefundNote, SendReminder
from notifications.emails.rules.dkim import Signature
from notifications.emails.rules.links import Links
from notifications.emails.rules.sender import Sender
from notifications.mail_history import routes as mail_history
from notifications.newsletters import routes as newsletters
from notifications.newsletters.tasks import PlanNewsletter, SendNewsletter
from notifications.orders.handlers import OrderHandlers
from notifications.orders.tasks import WatchExpiry, WatchOrders, WatchPlan
from notifications.pages import answer_bad_links
from notifications.privacy.handlers import ErasureHandlers
from notifications.privacy.jobs import ErasureJobs
from notifications.privacy.store import EXPORT
from notifications.refunds.handlers import RefundHandlers
from notifications.reminders.handlers import ReminderHandlers
from notifications.resends import routes as resends
from notifications.settings import Settings
from notifications.storefronts import Storefronts
from shared.clock import Clock
from shared.contracts import (
    AppealReceived,
    BuyerContact,
    BuyerErasureRequested,
    CancellationAccepted,
    ClaimAnswered,
    ClaimReceived,
    ConfirmationRequested,
    DataLow,
    DeadlineNear,
    InformationNeeded,
    OrderHeld,
    OrderPaid,
    OrderRefused,
    OrderReleased,
    PaymentLapsed,
    ProfileExpired,
    ProfileExpiring,
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
    RequestRegistered,
    SupportAnswered,
    TopUpApplied,
    WebhookEndpointDisabled,
)
from shared.kernel.auth import ApiKeys
from shared.kernel.privacy import exports
from shared.kernel.service import Service
from shared.keys.handlers import HANDLERS as KEY_HANDLERS
from shared.keys.shop_keys import ShopKeys
from shared.reply_tags import ReplyTags
from shared.shops.files import ShopFiles

#: aiosmtplib's `start_tls`: None uses it if the server offers it.
#: aiosmtplib's `None` is "where offered"; whoever can change the traffic can take the offer away.
_START_TLS = {"auto": None, "starttls": True, "implicit": False, "off": False}


def build(settings: Settings, *, clock: Clock | None = None) -> Service:
    """The service with its handlers, tasks and endpoints. Raises ShopsError when the shops' folder is refused."""
    service = Service("notifications", settings, clock=clock)
    recent = RecentEmails()
    queue = EmailQueue(recent)
    shops = ShopFiles.of(settings)
    shops.measure(service.metrics.registry)
    sender = Sender(
        Storefronts(shops), _signers(settings), new_links(settings), settings.mail_domain, _replies(settings)
    )
    _consume(service, settings, queue, recent)
    _perform(service, settings, queue, recent, sender)
    _serve(service, settings, sender)
    return service


def _consume(service: Service, settings: Settings, queue: EmailQueue, recent: RecentEmails) -> None:
    contacts = ContactHandlers(recent, settings.resend_limit)
    orders = OrderHandlers(queue, settings)
    refunds = RefundHandlers(queue, settings)
    reminders = ReminderHandlers(queue, settings)
    confirmations = ConfirmationHandlers(queue)
    erasures = ErasureHandlers(recent)
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
            DataLow: reminders.data_low,
            ProfileExpiring: reminders.profile_expiring,
            OrderHeld: orders.order_held,
            OrderReleased: orders.order_released,
            OrderRefused: orders.order_refused,
            PaymentLapsed: orders.payment_lapsed,
            InformationNeeded: refunds.information_needed,
            RequestRegistered: refunds.request_registered,
            CancellationAccepted: refunds.cancellation_accepted,
            RefundApproved: refunds.refund_approved,
            RefundDenied: refunds.refund_denied,
            RefundSettled: refunds.refund_settled,
            RefundFailed: refunds.refund_failed,
            RefundRetried: refunds.refund_retried,
            RefundPaidByHand: refunds.refund_paid_by_hand,
            AppealReceived: refunds.appeal_received,
            ClaimReceived: refunds.claim_received,
            ClaimAnswered: refunds.claim_answered,
            SupportAnswered: refunds.support_answered,
            ConfirmationRequested: confirmations.confirmation_requested,
            BuyerErasureRequested: erasures.buyer_erasure_requested,
            WebhookEndpointDisabled: notices.endpoint_disabled,
            DeadlineNear: notices.deadline_near,
            **KEY_HANDLERS,
        }
    )
    service.forgets(BuyerContact, erasures.contact_erased)


def _perform(service: Service, settings: Settings, queue: EmailQueue, recent: RecentEmails, sender: Sender) -> None:
    mailer = _mailer(settings, settings.smtp_connections)
    newsletter_mailer = _mailer(settings, settings.newsletter_connections)
    service.closes(mailer.close)
    service.closes(newsletter_mailer.close)
    context = DeliveryContext(
        settings, mailer, sender, service.database, service.tracing, service.metrics.registry, recent, service.opener
    )
    service.performs(
        SendActivationCode(context, service.opener),
        SendRefundNote(context),
        SendNote(context),
        SendReminder(context),
        SendConfirmationCode(context, service.opener, _sms_gateway(settings, service)),
        PlanNewsletter(context),
        SendNewsletter(
            context,
            newsletter_mailer,
            settings.newsletter_connections,
            settings.newsletters_per_second,
            service.leaving,
        ),
        notices.SendNotice(context),
        notices.SendAlert(context),
        WatchOrders(queue),
        WatchExpiry(queue),
        WatchPlan(queue, service.database, settings),
    )


def _serve(service: Service, settings: Settings, sender: Sender) -> None:
    links = sender.links
    store = AccountStore(service.database, links, settings)
    followers = OrderFollowers(store)
    service.runs(followers.run, ErasureJobs(service.database).run)
    account = AccountContext(
        store=store,
        followers=followers,
        links=links,
        tickets=Tickets(_link_key(settings)),
        opener=service.opener,
        storefronts=sender.storefronts,
        refunds=_refunds_client(settings, service),
        ordering=_ordering_client(settings, service),
        clock=service.clock,
        leaving=service.leaving,
        reading=asyncio.Semaphore(AT_ONCE),
    )
    service.app.state.account = account
    service.app.state.body_limits = dict.fromkeys(cases.WITH_FILES, LARGEST_BODY)
    shop_keys = ShopKeys(service.database, settings.storefront_keys, sandbox=settings.sandbox)
    service.runs(shop_keys.run)
    service.closes(shop_keys.record_uses)
    service.app.state.newsletters = newsletters.NewsletterContext(
        service.database,
        links,
        sender.storefronts,
        shop_keys,
        ApiKeys(settings.agent_keys),
    )
    answer_bad_links(service.app)
    service.serves(entry.router, page.router, cases.router, exports(service.database, settings.privacy_key, EXPORT))
    if account.ordering is not None:
        service.serves(rights.router)
    service.serves(newsletters.router, newsletters.unsubscribe_router, resends.router, mail_history.router)
    if settings.bounce_key is not None:
        service.app.state.bounces = bounces.BounceContext.of(
            service.database, links, settings.bounce_key, service.metrics.registry
        )
        service.serves(bounces.router)


def new_links(settings: Settings) -> Links:
    """The links of this service. Raises ValueError if the key is not base64."""
    return Links(_link_key(settings), settings.public_url, settings.mail_domain)


def _replies(settings: Settings) -> ReplyTags | None:
    return None if settings.reply_key is None else ReplyTags(settings.reply_key.get_secret_value())


def _link_key(settings: Settings) -> bytes:
    return base64.b64decode(settings.link_key.get_secret_value(), validate=True)


def _signers(settings: Settings) -> dict[str, tuple[Signature, ...]]:
    """Raises NotASigningKeyError at the start, and not with the first email."""
    return {
        slug: tuple(Signature.of(key.domain, key.selector, key.private_key.get_secret_value()) for key in keys)
        for slug, keys in settings.dkim_keys.items()
    }


def _refunds_client(settings: Settings, service: Service) -> RefundsClient | None:
    if settings.refunds_url is None:
        return None
    client = RefundsClient(settings.refunds_url, settings.refunds_keys, service.tracing)
    service.closes(client.close)
    return client


def _ordering_client(settings: Settings, service: Service) -> OrderingClient | None:
    if settings.ordering_url is None:
        return None
    client = OrderingClient(settings.ordering_url, settings.ordering_keys, service.tracing, settings.privacy_key)
    service.closes(client.close)
    return client


def _sms_gateway(settings: Settings, service: Service) -> SmsGateway | None:
    if settings.sms_url is None or settings.sms_key is None:
        return None
    gateway = SmsGateway(settings.sms_url, settings.sms_key, timeout_seconds=settings.sms_timeout_seconds)
    service.closes(gateway.close)
    return gateway


def _mailer(settings: Settings, connections: int) -> Mailer:
    if settings.mail_adapter == "instant":
        return InstantMailer()

    start_tls = _START_TLS[settings.smtp_tls]
    if settings.smtp_tls == "auto" and settings.smtp_username is not None:
        start_tls = True  # a password is never sent in plain text by default

    def client() -> SMTP:
        return SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_username,
            password=settings.smtp_password.get_secret_value() if settings.smtp_password else None,
            local_hostname=settings.mail_domain,
            timeout=settings.smtp_timeout_seconds,
            use_tls=settings.smtp_tls == "implicit",
            start_tls=start_tls,
        )

    return SmtpMailer(
        client,
        connections=connections,
        final_timeout_seconds=settings.smtp_final_timeout_seconds,
    )
