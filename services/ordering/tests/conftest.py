"""A running ordering service, and a shop that calls it.

Tests import the classes for annotations only (`if TYPE_CHECKING`): pytest loads this file by itself.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Protocol
from uuid import uuid4

import httpx
import pytest

from ordering.app import build
from ordering.catalogue.models import Catalogue
from ordering.settings import Settings
from shared.contracts import OrderSubmitted
from shared.kernel.service import Service
from shared.shops.reading import read_shops
from shared.testing.documents import JsonObject, Row
from shared.testing.shops import EXAMPLES
from shared.testing.stage import Stage

KEYS = {"qazaq-esim": "key-q", "e-sim-onl": "key-e", "esimka": "key-k"}


def order(storefront: str = "esimka", **changes: object) -> JsonObject:
    """A good order; `changes` may name the buyer's fields too, and None leaves a field out."""
    documents = Catalogue(read_shops(EXAMPLES), datetime.now(UTC)).documents(storefront)
    body: JsonObject = {
        "plan": "tr-5gb-30d",
        "buyer": {"name": "Anna Berg", "email": "anna@example.org", "phone": "+77011234567", "language": "en"},
        "device_compatible": True,
        "offer_version": documents.offer,
        "privacy_version": documents.privacy,
    }
    for name, value in changes.items():
        place = body["buyer"] if name in {"name", "email", "phone", "language", "company"} else body
        place[name] = value
        if value is None:
            del place[name]
    return body


class Shop:
    """The service under test, its database, and calls with a storefront's key."""

    def __init__(self, service: Service, http: httpx.AsyncClient) -> None:
        self.service = service
        self.http = http

    async def place(
        self, body: object = None, *, key: str | None = None, storefront: str = "esimka", **headers: str
    ) -> httpx.Response:
        sent = {**self.auth(storefront), "Idempotency-Key": key or str(uuid4()), **headers}
        content = (
            {"content": body} if isinstance(body, bytes) else {"json": order(storefront) if body is None else body}
        )
        return await self.http.post("/orders", headers=sent, **content)

    async def get(self, path: str, storefront: str = "esimka") -> httpx.Response:
        return await self.http.get(path, headers=self.auth(storefront))

    def auth(self, storefront: str = "esimka") -> dict[str, str]:
        return {"Authorization": f"Bearer {KEYS[storefront]}"}

    async def rows(self, sql: str, **parameters: object) -> list[Row]:
        async with self.service.database.reading() as tx:
            return list((await tx.execute(sql, **parameters)).all())

    def submitted(self, key: str, body: object = None, storefront: str = "esimka") -> OrderSubmitted:
        return OrderSubmitted(storefront=storefront, submission_id=key, order=body or order(storefront))


class OrderBody(Protocol):
    """Makes the body of a valid order; see `order`."""

    def __call__(self, storefront: str = "esimka", **changes: object) -> JsonObject: ...


class StartShop(Protocol):
    """Starts an ordering service with settings of the test's own."""

    async def __call__(self, build: Callable[..., Service], settings: type[Settings], /, **values: object) -> Shop: ...


@pytest.fixture
def good_order() -> OrderBody:
    return order


@pytest.fixture
async def shop_of(stage: Stage) -> AsyncIterator[StartShop]:
    """A shop at an ordering service with settings of the test's own."""
    async with AsyncExitStack() as opened:

        async def start(build: Callable[..., Service], settings: type[Settings], /, **values: object) -> Shop:
            service = await stage.service(build, settings, **{"storefront_keys": KEYS, **values})
            http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{service.port}", timeout=30)
            return Shop(service, await opened.enter_async_context(http))

        yield start


@pytest.fixture
async def shop(shop_of: StartShop) -> Shop:
    return await shop_of(build, Settings)
