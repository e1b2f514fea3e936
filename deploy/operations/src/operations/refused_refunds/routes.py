"""HTTP: refused refunds as JSON. Every request carries an operations key."""

from fastapi import APIRouter, Depends

from operations.refused_refunds import store
from operations.refused_refunds.models import RefusedRefunds
from shared.kernel.dependencies import ServiceDatabase
from shared.operations.callers import caller

routes = APIRouter(tags=["orders"], dependencies=[Depends(caller)])


@routes.get("/refunds/refused")
async def refused_refunds(database: ServiceDatabase) -> RefusedRefunds:
    """Refunds that the bank refused and that wait for a person, who retries them or pays another way."""
    async with database.reading() as tx:
        return await store.refused(tx)
