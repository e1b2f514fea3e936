"""What the servers of the shops do beyond buying: submit over Kafka, top up, correct, erase, send newsletters."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from confluent_kafka import KafkaException, Producer

from esim_fulfilment import FulfilmentError, NewOrder
from esim_fulfilment import Order as SeenOrder
from hostile.target import Target
from shared.contracts.storefront import OrderSubmitted
from tour.buying import Buying, answer_of
from tour.expectations import UnmetError, until
from tour.orders import Buyer, Order

_SUBMITTED_SECONDS = 40.0
_LOOK_SECONDS = 0.5


class Shops(Buying):
    """Buys as the tour does, and whatever else shops and agents do. `target` has their logins."""

    target: Target
    _producers: dict[str, Producer]

    def at(self, target: Target) -> "Shops":
        """Set whose logins are used."""
        self.target, self._producers = target, {}
        return self

    async def submit(self, slug: str, new: NewOrder, key: str) -> None:
        """Submit over Kafka until the brokers acknowledge it: from then on it may not be lost."""
        body = OrderSubmitted(storefront=slug, submission_id=key, order=new.model_dump(mode="json", exclude_none=True))
        user, topic = self.target.shop_topic(slug)
        place = self.target.prefix + topic
        headers: dict[str, str | bytes | None] = {
            "ce_specversion": "1.0",
            "ce_id": str(uuid4()),
            "ce_type": "storefront.order-submitted.v1",
            "ce_source": f"/storefronts/{slug}",
            "ce_time": datetime.now(UTC).isoformat(),
            "content-type": "application/json",
        }
        value = body.model_dump_json().encode()

        async def written() -> bool | None:
            return await asyncio.to_thread(self._produce, user, place, body.key(), value, headers) or None

        await until(written, "the brokers take a submission", "kafka", seconds=_SUBMITTED_SECONDS, every=_LOOK_SECONDS)

    async def submitted(self, slug: str, new: NewOrder, buyer: Buyer, key: str, seconds: float) -> Order:
        """Wait until the shop's list has what was submitted, and ask for it under the same key. Raises UnmetError."""

        async def look() -> bool | None:
            return await self.listed(slug, key) or None

        sentence = "a submission over Kafka becomes an order"
        await until(look, sentence, "ordering", seconds=seconds, every=_LOOK_SECONDS)
        return await self.place(slug, new, buyer, key)

    async def listed(self, slug: str, key: str) -> bool | None:
        """Whether the shop's list has an order of this key; None: it was not answered."""
        try:
            async for _ in self.client(slug).orders(search=key):
                return True
        except FulfilmentError:
            return None
        return False

    def _produce(self, user: str, topic: str, key: str, value: bytes, headers: dict[str, str | bytes | None]) -> bool:
        """Whether the brokers acknowledged it."""
        producer = self._producers.get(user)
        if producer is None:
            login = self.target.access_as(user).librdkafka()
            producer = self._producers[user] = Producer({**login, "log_level": 0, "message.timeout.ms": 15_000})
        outcome: list[bool] = []
        try:
            producer.produce(
                topic, value, key, headers=headers, on_delivery=lambda error, _: outcome.append(error is None)
            )
        except (KafkaException, BufferError):
            return False
        producer.flush(20)
        return outcome == [True]

    async def seen(self, order: Order) -> SeenOrder:
        """The order as the shop sees it."""
        return await answer_of("ordering", f"GET /orders/{order.id}", self.client(order.shop.slug).order(order.id))

    async def iccid(self, order: Order) -> str:
        """The ICCID of a delivered order. Ordering may hear of the delivery first. Raises UnmetError."""

        async def look() -> str | None:
            seen = await self.seen(order)
            return seen.esim.iccid if seen.esim is not None else None

        sentence = "the shop sees the ICCID of a delivered eSIM"
        return await until(look, sentence, "ordering", seconds=_SUBMITTED_SECONDS, every=_LOOK_SECONDS)

    async def correct_email(self, order: Order, email: str) -> None:
        """An agent corrects the address of an identified buyer (PP 6.1)."""
        identified = {"by": "call_back", "reference": f"campaign-{order.number}"}
        body = {"email": email, "identified": identified}
        await self._ask("ordering", "PUT", f"/orders/{order.id}/contact", self._agent_key, json=body)

    async def erase(self, order: Order) -> str:
        """An agent erases an identified buyer (PP 6.2). Returns the request's id, where it is known."""
        body = {"kind": "erase", "identified": {"by": "in_person", "reference": f"campaign-{order.number}"}}
        path = f"/orders/{order.id}/privacy-requests"
        try:
            answer = await self._ask("ordering", "POST", path, self._agent_key, json=body)
        except UnmetError as error:
            if "HTTP 410" not in str(error):
                raise
            return ""  # an earlier attempt, whose answer was lost, has erased them
        return str(answer.json()["request_id"])

    async def newsletter(self, slug: str, number: int) -> None:
        """A shop writes to all its buyers who agreed."""
        body: dict[str, Any] = {
            "storefront": slug,
            "letters": {"en": {"subject": f"News {number}", "text": "There are new plans."}},
        }
        headers = {"Idempotency-Key": f"campaign-{number}"}
        await self._ask("notifications", "POST", "/newsletters", self._agent_key, json=body, headers=headers)
