"""A shop's own doors, used by somebody who has its key or its user at the broker: HTTP and Kafka."""

import asyncio
import json
import random
from typing import Any
from uuid import UUID

from hostile import values
from hostile.attacks.webhooks import as_json
from hostile.context import Context

_TRACES = (f"00-{'0' * 32}-{'0' * 16}-01", "ff-x", f"01-{'a' * 32}-{'b' * 16}-09-x")
_AT_ONCE = 20


async def orders(context: Context) -> None:
    """`POST /orders`, spoiled; now and then the same key twenty times at once."""
    rng = context.rng
    shop = rng.choice(context.target.shops)
    body = as_json(values.spoiled(rng, await _order(context, shop)))
    headers = {
        **context.bearer(context.target.site.storefront_keys[shop]),
        "Idempotency-Key": rng.choice([_uuid(rng), "same", ascii(values.text(rng))[:300]]),
        "Content-Type": "application/json",
        "X-Forwarded-For": ascii(values.text(rng))[:300],
        "traceparent": rng.choice(_TRACES),
    }
    times = _AT_ONCE if rng.random() < 0.05 else 1
    url = f"{context.target.site.url('ordering')}/orders"
    await asyncio.gather(
        *(context.sender.send("an order over HTTP", "POST", url, content=body, headers=headers) for _ in range(times))
    )


async def submissions(context: Context) -> None:
    """Records on a shop's own topic: no JSON, spoiled orders, odd keys, headers and ids."""
    rng = context.rng
    shop = rng.choice(context.target.shops)
    user, topic = context.target.shop_topic(shop)
    order = {
        "storefront": rng.choice(context.target.shops),
        "submission_id": _uuid(rng),
        "order": await _order(context, shop),
    }
    value: bytes | None = as_json(values.spoiled(rng, order))
    if rng.random() < 0.3:
        value = rng.choice([None, b"", b"\xff\xfe", b"{", values.deep(5_000).encode(), rng.randbytes(300)])
    headers: list[tuple[str, Any]] = [
        ("ce_specversion", b"1.0"),
        ("ce_type", rng.choice([b"storefront.order-submitted.v1", b"nonsense", b"\xff"])),
        ("ce_source", rng.choice([f"/storefront/{shop}".encode(), b"/payments", b""])),
        ("ce_id", rng.choice([_uuid(rng).encode(), b"ffffffff-ffff-7fff-bfff-ffffffffffff", b"x" * 5_000, None])),
        ("traceparent", rng.choice([b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01", b"\x00", None])),
    ]
    rng.shuffle(headers)
    key = rng.choice([None, b"", b"\xff", rng.randbytes(200), shop.encode()])
    await context.writing.record("a record on a shop's topic", user, topic, key, value, headers[: rng.randrange(6)])


async def _order(context: Context, shop: str) -> dict[str, Any]:
    if shop not in context.catalogues:
        url = f"{context.target.site.url('ordering')}/storefront"
        headers = context.bearer(context.target.site.storefront_keys[shop])
        response = await context.sender.send("the catalogue", "GET", url, headers=headers)
        context.catalogues[shop] = json.loads(response.text) if response is not None and response.is_success else {}
    seen = context.catalogues[shop]
    documents = seen.get("documents", {})
    plans = [one["plan"]["id"] for one in seen.get("plans", [])] or ["none"]
    return {
        "plan": context.rng.choice(plans),
        "buyer": {
            "name": "Hostile",
            "email": f"h{context.rng.randrange(50)}@hostile.example",
            "phone": "+77010000000",
            "language": "en",
        },
        "device_compatible": True,
        "offer_version": documents.get("offer", ""),
        "privacy_version": documents.get("privacy", ""),
    }


def _uuid(rng: random.Random) -> str:
    return str(UUID(int=rng.getrandbits(128), version=4))
