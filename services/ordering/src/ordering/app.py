"""Ordering's wiring."""

import base64
from datetime import timedelta

from ordering.catalogue import CatalogueFiles
from ordering.clients.exports import Collector
from ordering.contact.codes import Codes
from ordering.holds import routes as holds_api
from ordering.intake import routes as api
from ordering.privacy import routes as rights
from ordering.privacy.tasks import ClearSessions, RepeatTombstone
from ordering.settings import Settings
from ordering.timeline.handlers import FACTS, order_submitted, tell_shops
from ordering.timeline.metrics import Figures
from shared.clock import Clock
from shared.contracts import Event, QrDelivered
from shared.kernel.auth import ApiKeys
from shared.kernel.service import Service
from shared.messaging.consumer import Handler
from shared.sealed import Sealer
from shared.telemetry.trace_links import TraceLinks


def build(settings: Settings, *, clock: Clock | None = None) -> Service:
    """Ordering, ready to run. Raises CatalogueError when the catalogue cannot be read."""
    service = Service("ordering", settings, clock=clock)
    catalogue = CatalogueFiles(settings.catalogue_dir)
    shops = ApiKeys(settings.storefront_keys)
    agents = ApiKeys(settings.agent_keys, asked="agent key")
    keep_sessions = timedelta(days=settings.session_retention_days)
    limits = settings.fraud_limits
    figures = Figures(service.metrics.registry)
    facts: dict[type[Event], Handler] = {**FACTS, QrDelivered: figures.timing(FACTS[QrDelivered])}
    service.consumes(facts)
    service.consumes_shops(
        [shop.slug for shop in catalogue.current().storefronts],
        order_submitted(catalogue, keep_sessions, limits),
        tell_shops,
        shared_shop=settings.shared_orders_storefront,
    )
    service.shows(figures.recent)
    service.performs(ClearSessions(), RepeatTombstone())
    desk = ApiKeys(settings.operations_keys)
    trace_links = TraceLinks(settings.trace_url_template)
    service.serves(
        api.router(service.database, catalogue, shops, keep_sessions, limits, trace_links, desk),
        holds_api.router(service.database, agents, limits),
        rights.router(_rights(service, settings, catalogue, shops, agents)),
    )
    return service


def _rights(
    service: Service, settings: Settings, catalogue: CatalogueFiles, shops: ApiKeys, agents: ApiKeys
) -> rights.Rights:
    key = settings.privacy_key.get_secret_value() if settings.privacy_key else ""
    collector = Collector(settings.privacy_sources, key, service.tracing)
    service.closes(collector.close)
    codes = None
    if settings.notifications_seal_public_key:
        secret = base64.b64decode(settings.seal_private_key.get_secret_value())
        codes = Codes(Sealer("notifications", settings.notifications_seal_public_key), secret)
    return rights.Rights(
        service.database, catalogue, shops, agents, codes, service.opener, collector, settings.privacy_key
    )
