"""Assembles ordering from its features."""

import base64
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from ordering import contact, intake, orders, privacy, timeline, updates, webhooks
from ordering.catalogue import CatalogueFiles
from ordering.clients.personal_data import PersonalDataClient
from ordering.clients.webhook_receiver import WebhookReceiver
from ordering.contact.routes import router as contact_router
from ordering.dependencies import Dependencies
from ordering.devices.routes import router as devices_router
from ordering.holds.models import Limits, LimitsOf
from ordering.holds.routes import router as holds_router
from ordering.holds.rules import limits_of
from ordering.intake.routes import router as intake_router
from ordering.keys.routes import router as keys_router
from ordering.orders.routes import router as orders_router
from ordering.privacy.routes import router as privacy_router
from ordering.recovery.handlers import OwnEvents
from ordering.search.routes import router as search_router
from ordering.settings import Settings
from ordering.shops import reject_refused_records
from ordering.shops.routes import router as shops_router
from ordering.timeline.models import AccountPages
from ordering.timeline.routes import router as timeline_router
from ordering.webhooks.operations_routes import router as operated_webhooks_router
from ordering.webhooks.routes import router as webhooks_router
from shared.clock import Clock
from shared.contracts import Event, QrDelivered
from shared.database import Tx
from shared.kernel.auth import ApiKeys
from shared.kernel.service import Service
from shared.keys.shop_keys import ShopKeys
from shared.messaging.consumer import Handler, Received
from shared.sealed import Sealer
from shared.shops.files import ShopFiles
from shared.telemetry.trace_links import TraceLinks


def build(settings: Settings, *, clock: Clock | None = None) -> Service:
    """Assemble the service. Raises ShopsError when the shops' folder is refused, ValueError for unknown shops."""
    service = Service("ordering", settings, clock=clock)
    uses = _dependencies(service, settings)
    own_events = OwnEvents(service.database)
    service.recovers(own_events.handlers, before=[own_events.skip_numbers], after=[own_events.list_lost_holds])
    metrics = timeline.OrderMetrics(service.metrics.registry)
    service.consumes(
        _in_sequence(
            updates.HANDLERS,
            {QrDelivered: metrics.qr_delivered},
            intake.HANDLERS,
            contact.HANDLERS,
            orders.HANDLERS,
            privacy.HANDLERS,
        )
    )
    if unknown := settings.updates_topics - set(settings.shops()):
        raise ValueError(f"UPDATES_TOPICS names shops that are not in the catalogue: {', '.join(sorted(unknown))}")
    # Before the outbox, which inserts what is left to publish.
    service.database.participants.insert(0, updates.UpdatesTopics(settings.updates_topics))
    service.consumes_shops(
        [shop.slug for shop in uses.catalogue.current().storefronts],
        intake.accept_submitted_orders(
            uses.catalogue, _keep_sessions(settings), uses.fraud_limits, service.metrics.limit_reached
        ),
        reject_refused_records,
        shared_shop=settings.shared_orders_storefront,
    )
    # Last of them: its locks are then held for as short as possible.
    service.database.participants.append(timeline.StatusKeeper())
    service.performs(
        privacy.DeleteExpiredRecords(),
        privacy.RepeatTombstone(),
        updates.DeleteOldUpdates(),
        timeline.DeriveStatuses(),
    )
    webhook_metrics = webhooks.WebhookMetrics(service.metrics.registry)
    deliver, retry = (
        webhooks.DeliverWebhooks(
            service.database,
            uses.webhook_receiver,
            uses.signing_secrets,
            service.tracing,
            webhook_metrics,
            failing=failing,
        )
        for failing in (False, True)
    )
    service.performs(deliver, retry)
    service.runs(deliver.find_due_endpoints)
    service.shows(metrics.count_recent_orders, webhook_metrics.count_waiting)
    service.app.state.dependencies = uses
    service.runs(uses.shop_keys.run)
    service.closes(uses.shop_keys.record_uses)
    service.serves(
        intake_router,
        orders_router,
        timeline_router,
        shops_router,
        devices_router,
        holds_router,
        search_router,
        contact_router,
        privacy_router,
        webhooks_router,
    )
    if settings.operations_keys:
        service.serves(keys_router, operated_webhooks_router)
    return service


def _dependencies(service: Service, settings: Settings) -> Dependencies:
    key = settings.privacy_key.get_secret_value() if settings.privacy_key else ""
    shops = ShopFiles.of(settings)
    shops.measure(service.metrics.registry)
    personal_data = PersonalDataClient(settings.privacy_sources, key, service.tracing)
    service.closes(personal_data.close)
    limits = _fraud_limits(settings, shops)
    receiver = WebhookReceiver(private_networks=settings.webhook_private_networks)
    service.closes(receiver.close)
    return Dependencies(
        catalogue=CatalogueFiles(shops, service.clock),
        shop_keys=ShopKeys(service.database, settings.storefront_keys, sandbox=settings.sandbox),
        agent_keys=ApiKeys(settings.agent_keys, asked="agent key"),
        operations_keys=ApiKeys(settings.operations_keys),
        orders=intake.GroupCommit(service.database, keep_sessions=_keep_sessions(settings), limits=limits),
        fraud_limits=limits,
        trace_links=TraceLinks(settings.trace_url_template),
        accounts=AccountPages(settings.account_url),
        cursors=orders.Cursors(base64.b64decode(settings.seal_private_key.get_secret_value())),
        codes=_codes(service, settings),
        page_key=settings.privacy_key,
        personal_data=personal_data,
        webhook_receiver=receiver,
        signing_secrets=webhooks.SigningSecrets(service.name, service.opener),
    )


def _keep_sessions(settings: Settings) -> timedelta:
    """How long session records are kept (PP 4.5)."""
    return timedelta(days=settings.session_retention_days)


def _fraud_limits(settings: Settings, shops: ShopFiles) -> LimitsOf:
    def of(storefront: str) -> Limits:
        shop = shops.shop(storefront)
        return settings.fraud_limits if shop is None else limits_of(shop.fraud_limits, settings.fraud_limits)

    return of


def _codes(service: Service, settings: Settings) -> contact.ConfirmationCodes | None:
    if not settings.notifications_seal_public_key:
        return None
    sealer = Sealer("notifications", settings.notifications_seal_public_key)
    secret = base64.b64decode(settings.seal_private_key.get_secret_value())
    return contact.ConfirmationCodes(sealer, service.opener, secret)


def _in_sequence(*features: Mapping[type[Event], Handler]) -> dict[type[Event], Handler]:
    """One handler for each event. Where several features handle an event, their handlers run in this sequence."""
    handlers: dict[type[Event], Handler] = {}
    for feature in features:
        for event_class, handler in feature.items():
            earlier = handlers.get(event_class)
            handlers[event_class] = handler if earlier is None else _both(earlier, handler)
    return handlers


def _both(first: Handler, second: Handler) -> Handler:
    async def handle(tx: Tx, batch: Sequence[Received[Any]]) -> None:
        await first(tx, batch)
        await second(tx, batch)

    return handle
