from collections.abc import Callable

import httpx
import pytest

from tour import buying
from tour.buying import Buying
from tour.expectations import UnmetError
from tour.orders import Buyer

URLS = {"ordering": "http://ordering", "payments": "http://payments", "refunds": "http://refunds"}
PRICE = {"amount": 750, "currency": "USD"}
PLAN = {
    "id": "ge-5gb-30d",
    "title": "Georgia 5 GB, 30 days",
    "coverage": ["GE"],
    "data_mb": 5120,
    "validity_days": 30,
    "profile_type": "caucasus-data",
}
SHOP = {
    "slug": "esimka",
    "name": "eSIMka",
    "currency": "USD",
    "time_zone": "Asia/Tbilisi",
    "language": "ru",
    "support": {"email": "support@esimka.example"},
    "documents": {"offer": "o1", "privacy": "p1", "refund": "r1"},
    "plans": [{"plan": PLAN, "price": PRICE}],
}
ORDER = {"order_id": "id-1", "order_number": "1", "status": "placed", "price": PRICE, "plan": PLAN}
NINO = Buyer("Nino", "nino@example.org", "+995555654321", "en")
Handler = Callable[[httpx.Request], httpx.Response]


def shop_behind(handler: Handler) -> Buying:
    shop = Buying(URLS, {"esimka": "key"}, "agent", {})
    shop._client = httpx.AsyncClient(transport=httpx.MockTransport(handler))
    return shop


async def test_an_order_sent_again_keeps_its_idempotency_key() -> None:
    keys: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer key"
        if request.url.path == "/storefront":
            return httpx.Response(200, json=SHOP)
        keys.append(request.headers["idempotency-key"])
        if len(keys) == 1:
            raise httpx.ReadError("cut")
        return httpx.Response(503) if len(keys) == 2 else httpx.Response(201, json=ORDER)

    async with shop_behind(answer) as shop:
        order = await shop.order("esimka", "ge-5gb-30d", NINO)
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert (order.number, str(order.price), order.shop.name) == ("1", "7.50 USD", "eSIMka")


async def test_a_refusal_is_reported_at_once() -> None:
    asked: list[str] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(401)

    async with shop_behind(refuse) as shop:
        with pytest.raises(UnmetError, match=r"ordering answers GET /storefront \(401 ") as unmet:
            await shop.shop("esimka")
    assert (asked, unmet.value.logs) == (["/storefront"], ("ordering",))


async def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buying, "PATIENCE_SECONDS", 0.1)
    async with shop_behind(lambda _: httpx.Response(503)) as shop:
        with pytest.raises(UnmetError, match="503 "):
            await shop.shop("esimka")
