"""Ordering's wiring."""

from datetime import timedelta

from ordering import api
from ordering.catalogue import CatalogueFiles
from ordering.consumers import FACTS, order_submitted
from ordering.settings import Settings
from ordering.work import ClearSessions
from shared.clock import Clock
from shared.contracts import OrderSubmitted
from shared.kernel.auth import StorefrontKeys
from shared.kernel.service import Service


def build(settings: Settings, *, clock: Clock | None = None) -> Service:
    """Ordering, ready to run. Raises CatalogueError when the catalogue cannot be read."""
    service = Service("ordering", settings, clock=clock)
    catalogue = CatalogueFiles(settings.catalogue_dir)
    keys = StorefrontKeys({slug: key.get_secret_value() for slug, key in settings.storefront_keys.items()})
    keep_sessions = timedelta(days=settings.session_retention_days)
    service.consumes({OrderSubmitted: order_submitted(catalogue, keep_sessions), **FACTS})
    service.performs(ClearSessions())
    service.serves(api.router(service.database, catalogue, keys, keep_sessions))
    return service
