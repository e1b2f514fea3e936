"""HTTP: agents search the orders of all shops."""

from fastapi import APIRouter

from ordering.dependencies import CallingAgent
from ordering.search.models import FoundOrders, SearchBody, Wanted
from ordering.search.store import find_orders
from shared.kernel.dependencies import ServiceDatabase

router = APIRouter(tags=["search"])


@router.post("/order-searches", name="search")
async def search_orders(_agent: CallingAgent, body: SearchBody, database: ServiceDatabase) -> FoundOrders:
    """Orders of any shop by number, id, ICCID, e-mail, phone, name, or a company's name or number, the newest first."""
    wanted = Wanted.read(body.text)
    async with database.reading() as tx:
        return await find_orders(tx, wanted)
