"""HTTP: the watched services as JSON. Every request carries an operations key."""

from fastapi import APIRouter, Depends

from operations.dependencies import ServiceUrls
from operations.services import store
from operations.services.models import ServiceView
from shared.kernel.dependencies import ServiceDatabase
from shared.operations.callers import caller

routes = APIRouter(tags=["invariants"], dependencies=[Depends(caller)])


@routes.get("/services")
async def services(database: ServiceDatabase, urls: ServiceUrls) -> list[ServiceView]:
    """The watched services, each with its last answer."""
    async with database.reading() as tx:
        return await store.last_answers(tx, urls)
