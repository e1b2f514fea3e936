"""Assembles the service: its features, and what they need from each other."""

import base64
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from prometheus_client import CollectorRegistry

from refunds import problems
from refunds.agent_pages import routes as agent_pages
from refunds.agent_pages.dependencies import ROLES
from refunds.agent_pages.rendering import PAGES
from refunds.agent_pages.store import record_sign_in
from refunds.callers import Callers
from refunds.cases import CaseHandlers, CaseMetrics, CaseService, Fingerprints, Patience
from refunds.cases import routes as cases
from refunds.cases.scheduled_jobs import CaseJobs
from refunds.cases.tasks import CaseDue
from refunds.channels.answers import CaseAnswers
from refunds.channels.contact_form import routes as contact_form
from refunds.channels.contact_form.service import ContactForm
from refunds.channels.files import DownloadFile
from refunds.channels.metrics import ChannelMetrics, contact_form_metric, whatsapp_statuses
from refunds.channels.scheduled_jobs import clean
from refunds.channels.service import Channel, Conversations
from refunds.channels.site_chat import routes as site_chat
from refunds.channels.site_chat.models import LARGEST_MESSAGE as LARGEST_CHAT_MESSAGE
from refunds.channels.site_chat.store import Guesses, SiteAnswers
from refunds.channels.site_chat.tasks import SiteChannel, StoreAnswer
from refunds.channels.store import Chats
from refunds.channels.telegram import routes as telegram
from refunds.channels.telegram import tasks as telegram_tasks
from refunds.channels.telegram.tasks import SendMessage, TelegramChannel
from refunds.channels.whatsapp import routes as whatsapp
from refunds.channels.whatsapp import tasks as whatsapp_tasks
from refunds.channels.whatsapp.tasks import WhatsAppChannel
from refunds.claims import routes as claims
from refunds.claims.tasks import ClaimDue
from refunds.clients.telegram import TelegramClient
from refunds.clients.whatsapp import WhatsAppClient
from refunds.deadline_alerts.scheduled_jobs import DeadlineAlerts
from refunds.eligibility import routes as eligibility
from refunds.late_deliveries.handlers import LateDeliveryHandlers
from refunds.late_deliveries.tasks import DeliveryDue
from refunds.policy import OrderPolicies
from refunds.policy import routes as policy
from refunds.policy.store import Policies
from refunds.privacy import handlers as privacy
from refunds.privacy.store import EXPORT
from refunds.refused_refunds import RefusedRefundService
from refunds.refused_refunds import routes as refused_refunds
from refunds.refused_refunds.handlers import RefusedRefundHandlers
from refunds.representatives import Representatives
from refunds.settings import Settings
from refunds.support_answers import SupportAnswers
from refunds.support_mail import SupportMail
from refunds.support_mail import routes as support_mail
from refunds.support_mail.mailboxes import MailboxReader
from refunds.support_mail.metrics import MailMetrics
from refunds.support_mail.models import Receiver
from refunds.support_mail.rules.file_types import LARGEST_FILE
from refunds.support_mail.rules.reading import LARGEST_MAIL
from refunds.support_mail.scheduled_jobs import MailJobs
from refunds.support_mail.store import MailStore
from refunds.support_mail.submission_routes import submission_routes
from refunds.support_mail.submissions import Submissions
from refunds.support_mail.threads import MailThreads
from shared.clock import Clock
from shared.contracts import BuyerContact, Event, Language
from shared.kernel.auth import ApiKeys
from shared.kernel.privacy import exports
from shared.kernel.service import Service
from shared.kernel.services import ServicesClient
from shared.kernel.upload_forms import LARGEST_BODY
from shared.keys.handlers import HANDLERS as KEY_HANDLERS
from shared.keys.shop_keys import ShopKeys
from shared.messaging.consumer import Handler
from shared.messaging.reading import GroupReading
from shared.reply_tags import ReplyTags
from shared.sealed import Sealer
from shared.shops.files import ShopFiles
from shared.shops.holidays import known_holidays
from shared.shops.settings import warn_of_overrides
from shared.signin.setup import serve_sign_in
from shared.signin.sign_in import Journal


def build(settings: Settings, *, clock: Clock | None = None) -> Service:
    """Refunds, ready to run. Raises ShopsError when the shops' folder is refused."""
    service = Service("refunds", settings, clock=clock)
    seal_key = base64.b64decode(settings.seal_private_key.get_secret_value())
    fingerprints = Fingerprints(seal_key)
    shops = ShopFiles.of(settings, [known_holidays])
    shops.measure(service.metrics.registry)
    warn_of_overrides(settings, {"storefront_observation_patience_hours": "shop.toml: deadlines.observation_hours"})
    policies = OrderPolicies(Policies(shops))
    metrics = CaseMetrics(service.metrics.registry)

    def cases_with(metrics: CaseMetrics) -> CaseService:
        patience, keep = _patience(settings, shops), timedelta(days=settings.notes_keep_days)
        return CaseService(policies, metrics, fingerprints, patience=patience, keep_notes=keep)

    case_service = cases_with(metrics)
    # Shows what would follow from a request, in transactions that are rolled back: nobody reads its metrics.
    service.app.state.trying_case_service = cases_with(CaseMetrics(CollectorRegistry()))
    service.consumes(event_handlers(case_service))
    service.forgets(BuyerContact, privacy.contact_erased)
    topics = [settings.topic_prefix + topic for topic in service.consumer.topics]
    position = GroupReading(settings.kafka, settings.topic_prefix + "refunds", topics)
    service.performs(CaseDue(case_service.context), ClaimDue(metrics), DeliveryDue(case_service, position))
    service.runs(CaseJobs(service.database, case_service.context).run)
    registry, hours = service.metrics.registry, settings.deadline_alert_hours
    service.runs(DeadlineAlerts(service.database, shops, registry, hours=hours, pages=settings.public_url).run)
    problems.install(service.app, service.metrics.limit_reached)
    state = service.app.state
    state.shops = shops
    state.policies, state.case_service, state.refused_refunds = policies, case_service, RefusedRefundService()
    shop_keys = ShopKeys(service.database, settings.storefront_keys, sandbox=settings.sandbox)
    service.runs(shop_keys.run)
    service.closes(shop_keys.record_uses)
    state.callers = Callers(shop_keys, settings.agent_keys)
    _add_agent_pages(service, settings)
    _add_support_mail(service, settings, case_service, seal_key, shops)
    _add_contact_form(service, shops)
    service.runs(partial(clean, service.database))
    _add_telegram(service, settings, case_service, seal_key)
    _add_whatsapp(service, settings, case_service, seal_key, shops)
    _add_site_chat(service, settings, case_service, seal_key, shops)
    service.serves(cases.routes, eligibility.routes, claims.routes, refused_refunds.routes, policy.routes)
    service.serves(exports(service.database, settings.privacy_key, EXPORT))
    return service


def event_handlers(case_service: CaseService) -> dict[type[Event], Handler]:
    """The handler of every event. The later ones replace handlers of the cases, and call them."""
    cases_ = CaseHandlers(case_service)
    return (
        cases_.handlers()
        | LateDeliveryHandlers(cases_, case_service.policies).handlers()
        | RefusedRefundHandlers(cases_).handlers()
        | privacy.handlers()
        | dict(KEY_HANDLERS)
    )


def _patience(settings: Settings, shops: ShopFiles) -> Patience:
    overrides = settings.storefront_observation_patience_hours

    def of_shop(slug: str) -> timedelta | None:
        shop = shops.shop(slug)
        hours = overrides.get(slug) or (shop.deadlines.observation_hours if shop else None)
        return None if hours is None else timedelta(hours=hours)

    return Patience(
        observation=timedelta(hours=settings.observation_patience_hours),
        retry=timedelta(seconds=settings.observation_retry_seconds),
        of_shop=of_shop,
    )


def _add_agent_pages(service: Service, settings: Settings) -> None:
    names = (settings.oidc_supervisor_role, settings.oidc_agent_role, settings.oidc_viewer_role)
    access = settings.access(dict(zip(names, ROLES, strict=True)))
    services = ServicesClient(settings.services, settings.services_key, service.tracing, key_setting="SERVICES_KEY")
    service.closes(services.close)
    service.app.state.services = services
    service.app.state.agent_sessions = serve_sign_in(service, PAGES, access, Journal(record_sign_in))
    service.serves(agent_pages.routes)


def _add_telegram(service: Service, settings: Settings, case_service: CaseService, seal_key: bytes) -> None:
    if not settings.telegram_bots:
        return
    chats = Chats("telegram", service.opener, seal_key, timedelta(days=settings.telegram_keep_days))
    metrics = ChannelMetrics(service.metrics.registry, "telegram")
    client = TelegramClient(settings.telegram_api_url, service.tracing, LARGEST_FILE)
    service.closes(client.close)
    tokens = {storefront: bot.token for storefront, bot in settings.telegram_bots.items()}
    service.performs(SendMessage(client, chats, tokens, metrics))
    conversations = _conversations(service, TelegramChannel(chats), case_service)
    fetch = telegram_tasks.fetching(client, tokens)
    service.performs(DownloadFile(telegram_tasks.DOWNLOAD, fetch, conversations, chats, metrics))
    secrets = {storefront: bot.secret for storefront, bot in settings.telegram_bots.items()}
    service.app.state.telegram = telegram.Telegram(conversations, chats, secrets, metrics)
    service.serves(telegram.routes)


def _add_whatsapp(
    service: Service, settings: Settings, case_service: CaseService, seal_key: bytes, shops: ShopFiles
) -> None:
    numbers = settings.whatsapp_numbers
    if not numbers:
        return

    chats = Chats("whatsapp", service.opener, seal_key, timedelta(days=settings.whatsapp_keep_days))
    registry = service.metrics.registry
    metrics = ChannelMetrics(registry, "whatsapp")
    client = WhatsAppClient(settings.whatsapp_api_url, service.tracing, LARGEST_FILE)
    service.closes(client.close)
    channel = WhatsAppChannel(chats)
    conversations = _conversations(service, channel, case_service)
    service.performs(
        whatsapp_tasks.SendMessage(client, chats, numbers, metrics, service.clock),
        DownloadFile(whatsapp_tasks.DOWNLOAD, whatsapp_tasks.fetching(client, numbers), conversations, chats, metrics),
    )
    service.app.state.whatsapp = whatsapp.WhatsApp(
        conversations, channel, numbers, _languages(shops), metrics, whatsapp_statuses(registry)
    )
    service.app.state.body_limits["/whatsapp/*"] = whatsapp.LARGEST_WEBHOOK
    service.serves(whatsapp.routes)


def _add_site_chat(
    service: Service, settings: Settings, case_service: CaseService, seal_key: bytes, shops: ShopFiles
) -> None:
    chats = Chats("site", service.opener, seal_key, timedelta(days=settings.site_chat_keep_days))
    metrics = ChannelMetrics(service.metrics.registry, "site_chat")
    answers = SiteAnswers(chats)
    service.performs(StoreAnswer(chats, answers, metrics))
    conversations = _conversations(service, SiteChannel(chats), case_service, Guesses(seal_key))
    service.app.state.site_chat = site_chat.SiteChat(conversations, chats, answers, _languages(shops), metrics)
    service.app.state.body_limits["/conversations/*/messages"] = LARGEST_CHAT_MESSAGE
    service.serves(site_chat.routes)


def _languages(shops: ShopFiles) -> Callable[[str], Language]:
    """The language of a shop."""

    def language(storefront: str) -> Language:
        shop = shops.shop(storefront)
        return "en" if shop is None else shop.language

    return language


def _conversations(
    service: Service, channel: Channel, case_service: CaseService, guesses: Guesses | None = None
) -> Conversations:
    """The conversations of a channel, whose chats receive the answers of their cases."""
    # Before the task worker, which inserts the tasks of a transaction.
    service.database.participants.insert(0, CaseAnswers(channel))
    return Conversations(channel, case_service, service.app.state.submissions, guesses)


def _add_contact_form(service: Service, shops: ShopFiles) -> None:
    def origins(storefront: str) -> frozenset[str] | None:
        shop = shops.shop(storefront)
        return None if shop is None else frozenset(shop.support.form_origins)

    state = service.app.state
    metric = contact_form_metric(service.metrics.registry)
    form = ContactForm(state.support_mail, state.support_answers)
    state.contact_forms = contact_form.ContactForms(form, origins, metric)
    state.body_limits["/contact/*"] = contact_form.LARGEST_MESSAGE
    service.serves(contact_form.routes)


def _shops_at(shops: ShopFiles) -> dict[str, str]:
    """The shops by the addresses at which they receive mail."""
    return {
        address.lower(): slug
        for slug, shop in shops.current().items()
        for address in (shop.support.email, shop.sender.email)
    }


def _add_support_mail(
    service: Service, settings: Settings, case_service: CaseService, seal_key: bytes, shops: ShopFiles
) -> None:
    """Take e-mails in. Agents can read what was taken even where no mailbox is connected any more."""

    def receiver(storefront: str) -> Receiver:
        shop = shops.shop(storefront)
        if shop is None:
            return Receiver()
        own = frozenset({shop.support.email.lower(), shop.sender.email.lower()})
        return Receiver(frozenset(shop.support.authenticated_by), own)

    mails = MailStore(service.opener, seal_key, timedelta(days=settings.notes_keep_days))
    tags = None if settings.reply_key is None else ReplyTags(settings.reply_key.get_secret_value())
    mail = SupportMail(case_service, mails, receiver, tags)
    sealer = None
    if settings.notifications_seal_public_key is not None:
        # Before the outbox, which inserts the events of a transaction.
        sealer = Sealer("notifications", settings.notifications_seal_public_key)
        service.database.participants.insert(0, MailThreads(mails, sealer))
    keep = timedelta(days=settings.notes_keep_days)
    service.app.state.support_answers = SupportAnswers(case_service, sealer, keep)
    metrics = MailMetrics(service.metrics.registry)
    service.runs(MailJobs(service.database, metrics).run)
    service.app.state.support_mail = mail
    service.app.state.submissions = Submissions(case_service, mails)
    service.app.state.representatives = Representatives(mails)
    service.app.state.body_limits = {
        "/orders/*/evidence": LARGEST_FILE,
        "/agents/representations/*/evidence": LARGEST_BODY,
    }
    service.serves(submission_routes)
    if settings.support_lmtp is not None:
        from refunds.support_mail.lmtp import LmtpReceiver  # noqa: PLC0415 - hardly any deployment needs its server

        lmtp = LmtpReceiver(settings.support_lmtp, mail, lambda: _shops_at(shops), service.database, metrics)
        service.app.state.lmtp = lmtp
        service.runs(lmtp.run)
    for storefront, account in settings.support_mailboxes.items():
        service.runs(MailboxReader(storefront, account, mail, service.database, metrics).run)
    if settings.support_mail_keys:
        keys = ApiKeys(settings.support_mail_keys, asked="mailbox key", problem="unknown-key")
        service.app.state.mail_webhook = support_mail.MailWebhook.of(mail, keys, metrics)
        service.app.state.body_limits["/support-mails/*"] = LARGEST_MAIL
        service.serves(support_mail.routes)
