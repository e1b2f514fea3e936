"""HTTP: an order's timeline, for its shop and for operations people."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from ordering.dependencies import CatalogueNow, OrdersOf, Traces
from ordering.timeline.models import PlacedOrder, RecordedFact, Reference
from ordering.timeline.store import find
from ordering.timeline.views import TimelineLine
from shared.contracts import Language
from shared.database import Database
from shared.kernel.dependencies import ServiceDatabase
from shared.kernel.problems import Problem
from shared.values.opaque import Named

router = APIRouter(tags=["orders"])


@router.get("/orders/{reference}/timeline", name="timeline")
async def show_timeline(
    storefront: OrdersOf,
    reference: Named,
    database: ServiceDatabase,
    catalogue: CatalogueNow,
    traces: Traces,
    lang: Annotated[Language | None, Query(description="the storefront's language by default")] = None,
) -> list[TimelineLine]:
    """What happened to an order, in sentences for its buyer."""
    _placed, facts = await _find(database, storefront, reference)
    shop = catalogue.storefront(storefront) if storefront else None
    language = lang or (shop.language if shop else "en")
    return TimelineLine.timeline(facts, shop.time_zone if shop else "UTC", language, traces)


async def _find(database: Database, storefront: str | None, reference: str) -> tuple[PlacedOrder, list[RecordedFact]]:
    async with database.reading() as tx:
        order = await find(tx, storefront, Reference.parse(reference))
    if order is None:
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-order", "There is no such order, or it is not this storefront's.")
    return order
