"""What the HTTP endpoints depend on. `app.py` sets it on the app; FastAPI passes it to the endpoints."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, FastAPI, Request

from payments.clients.bank import Bank
from payments.metrics import PaymentMetrics
from shared.database import Database
from shared.kernel.auth import ApiKeys, KeyHolder


@dataclass(slots=True, frozen=True)
class HttpContext:
    """The service as its endpoints need it. `first_poll`: how long a webhook is waited for."""

    database: Database
    bank: Bank
    metrics: PaymentMetrics
    storefront_keys: ApiKeys
    agent_keys: ApiKeys
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


Context = Annotated[HttpContext, Depends(_injected)]
#: The storefront whose API key the caller sent.
Storefront = Annotated[str, Depends(KeyHolder("storefront", lambda request: _context(request).storefront_keys))]
#: For endpoints of agents: only an agent's key is accepted.
agents_only = Depends(KeyHolder("agent", lambda request: _context(request).agent_keys))
