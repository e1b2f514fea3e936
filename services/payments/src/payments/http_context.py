"""What the HTTP endpoints depend on. `app.py` sets it on the app; FastAPI passes it to the endpoints."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, FastAPI, Request, Security

from payments.clients.bank import Bank
from payments.metrics import PaymentMetrics
from shared.database import Database
from shared.kernel.auth import ApiKeys, KeyHolder
from shared.keys.callers import ShopKeyHolder
from shared.keys.models import ShopCaller
from shared.keys.shop_keys import ShopKeys
from shared.shops.files import ShopFiles


@dataclass(slots=True, frozen=True)
class HttpContext:
    """The service as its endpoints need it. `first_poll`: how long a webhook is waited for."""

    database: Database
    bank: Bank
    metrics: PaymentMetrics
    shop_keys: ShopKeys
    agent_keys: ApiKeys
    shops: ShopFiles
    terminal: str
    webhook_url: str
    first_poll: timedelta


def use_context(app: FastAPI, context: HttpContext) -> None:
    """Let the app's endpoints use this context."""
    app.state.payments = context


def _context(request: Request) -> HttpContext:
    context: HttpContext = request.app.state.payments
    return context


async def _injected(request: Request) -> HttpContext:
    return _context(request)


async def _shop(
    caller: Annotated[ShopCaller, Security(ShopKeyHolder(lambda request: _context(request).shop_keys))],
) -> str:
    return caller.storefront


Context = Annotated[HttpContext, Depends(_injected)]
#: The storefront that calls, by a key that may place orders: opening a payment belongs to it.
Storefront = Annotated[str, Security(_shop, scopes=["orders:write"])]
#: For endpoints of agents: only an agent's key is accepted.
agents_only = Depends(KeyHolder("agent", lambda request: _context(request).agent_keys))
