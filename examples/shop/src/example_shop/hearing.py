"""Webhooks in, and what they change: a row, and a signal to the pages that are open."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping

from esim_fulfilment import BuyerErased, UnknownEvent, verify_webhook
from example_shop.store import Store


class Bell:
    """Wakes the open pages of an order. One process serves this shop, so its memory is enough."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)

    def ring(self, ref: str) -> None:
        """Wake everybody who waits for this order."""
        for event in self._waiting.get(ref, ()):
            event.set()

    async def wait(self, ref: str, seconds: float) -> bool:
        """Wait for the next signal; False where none came in time."""
        event = asyncio.Event()
        self._waiting[ref].add(event)
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return False
        else:
            return True
        finally:
            self._waiting[ref].discard(event)
            if not self._waiting[ref]:
                del self._waiting[ref]


def hear(store: Store, bell: Bell, headers: Mapping[str, str], body: bytes, secrets: Iterable[str]) -> str:
    """Store a webhook and wake its order's pages; returns its type. Raises InvalidWebhookError.

    A webhook says that something happened. How the order stands is asked for when it is shown: so the sequence in which
    webhooks come, and how often, changes nothing.
    """
    event = verify_webhook(headers, body, secrets)
    order_id = _order_id(event.data) if isinstance(event, UnknownEvent) else event.data.order_id
    ref = store.heard(event.id, event.type, order_id, body)
    if isinstance(event, BuyerErased) and order_id is not None:
        store.erase(order_id)
    if ref is not None:
        bell.ring(ref)
    return event.type


def _order_id(data: object) -> str | None:
    value = data.get("order_id") if isinstance(data, Mapping) else None
    return value if isinstance(value, str) else None
