"""A shop's customers and strangers, the messages that only they can read, and everything that is stored about them."""

import base64
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal
from uuid import UUID, uuid4

import httpx
import pytest
from aiokafka import AIOKafkaConsumer
from nacl.public import PrivateKey

from ordering.app import build
from ordering.settings import Settings
from shared.clock import SystemClock
from shared.contracts import ConfirmationRequested, MailboxProved
from shared.sealed import Opener
from shared.testing.documents import Json, JsonObject, Row
from shared.testing.stage import Stage
from shared.values.email_address import mailbox_key

if TYPE_CHECKING:
    from services.ordering.tests.conftest import OrderBody, Shop, StartShop

NOTIFICATIONS = Opener(base64.b64encode(bytes(PrivateKey.generate())).decode())
Way = Literal["http", "kafka"]
_OF_BUYERS = "t.buyer_id = ANY(CAST(:buyers AS uuid[]))"
_OF_ORDERS = "t.order_id = ANY(CAST(:orders AS uuid[]))"
_REACHED = f"request_id IN (SELECT request_id FROM privacy_requests t WHERE {_OF_ORDERS})"
#: Everything that is held of orders, by table.
_HELD = {
    "buyers": _OF_BUYERS,
    "orders": _OF_ORDERS,
    "session_records": _OF_ORDERS,
    "submissions": _OF_ORDERS,
    "confirmations": _OF_ORDERS,
    "contact_changes": _OF_BUYERS,
    "privacy_requests": _OF_ORDERS,
    "privacy_request_buyers": _REACHED,
    "erasures": _OF_BUYERS,
}


@dataclass(frozen=True)
class Order:
    """An accepted order. `buyer_id`: the key under which its contact is published."""

    order_id: str
    number: str
    storefront: str
    buyer_id: UUID


@dataclass
class Person:
    """Somebody who reads one mailbox and one phone, and has orders."""

    email: str
    phone: str
    orders: list[Order] = field(default_factory=list)
    exports: list[tuple[str, str]] = field(default_factory=list)

    def reads(self, channel: str, email: str, phone: str) -> bool:
        return phone == self.phone if channel == "sms" else mailbox_key(email) == mailbox_key(self.email)


class World:
    """What anybody can do with a shop's ordinary API, and nothing else."""

    def __init__(self, stage: Stage, shop: "Shop", good_order: "OrderBody", consumer: AIOKafkaConsumer) -> None:
        self.stage, self.shop, self._good_order, self._consumer = stage, shop, good_order, consumer
        self._codes: dict[UUID, ConfirmationRequested] = {}

    async def order(
        self, email: str, phone: str, *, by: Person, over: Way = "http", storefront: str = "esimka", **more: object
    ) -> Order:
        """Place an order, unpaid."""
        body, key = self._good_order(storefront, email=email, phone=phone, **more), str(uuid4())
        if over == "http":
            answer = await self.shop.place(body, key=key, storefront=storefront)
            assert answer.status_code == 201, answer.text
        else:
            await self.stage.publish(self.shop.submitted(key, body, storefront))
        sql = """SELECT o.order_id::text AS order_id, o.number::text AS number, o.buyer_id FROM orders o
                 JOIN submissions s USING (order_id) WHERE s.submission_id = :key"""
        [row] = await self.stage.eventually(lambda: self.shop.rows(sql, key=key))
        order = Order(row.order_id, row.number, storefront, row.buyer_id)
        by.orders.append(order)
        return order

    async def correct(self, order: Order, **fields: str) -> httpx.Response:
        return await self._post(order, f"/orders/{order.order_id}/contact-changes", fields)

    async def ask(self, order: Order, kind: str) -> httpx.Response:
        return await self._post(order, "/privacy/requests", {"order": order.number, "kind": kind})

    async def confirm(self, person: Person, order: Order, requested: httpx.Response) -> httpx.Response | None:
        """Enter the code, where this person can read the message that has it; None where not."""
        identity = requested.json()["confirmation_id"]
        event = await self._code(UUID(identity))
        rows = await self.shop.rows("SELECT email, phone FROM buyers WHERE buyer_id = :id", id=event.buyer_id)
        if not rows or not person.reads(event.channel, rows[0].email, rows[0].phone):
            return None
        digits = NOTIFICATIONS.open(event.code).decode()
        answer = await self._post(order, f"/confirmations/{identity}", {"code": digits})
        if answer.status_code == 200 and event.purpose == "export":
            person.exports.append((order.storefront, identity))
        return answer

    async def confirmed(self, person: Person, order: Order, requested: httpx.Response) -> httpx.Response:
        """As `confirm`, by somebody who can read the code."""
        answer = await self.confirm(person, order, requested)
        assert answer is not None, "the code went elsewhere"
        return answer

    async def code(self, requested: httpx.Response) -> tuple[str, str]:
        """The id of a request, and the code that was sent for it."""
        identity = requested.json()["confirmation_id"]
        return identity, NOTIFICATIONS.open((await self._code(UUID(identity))).code).decode()

    async def press(self, order: Order, *, contact_at: datetime | None = None) -> None:
        """Somebody who reads the order's mailbox uses the link that was mailed there."""
        rows = await self.contact(order)
        if not rows:
            return
        about = {"order_number": order.number, "storefront": order.storefront, "buyer_id": order.buyer_id}
        now = SystemClock().now()
        at = contact_at or rows[0].updated_at
        fact = MailboxProved(order_id=UUID(order.order_id), **about, how="link", contact_at=at, proved_at=now)
        [sent] = await self.stage.publish(fact)
        await self.stage.eventually(lambda: self.shop.rows("SELECT 1 FROM inbox WHERE event_id = :id", id=sent.id))

    async def contact(self, order: Order) -> list[Row]:
        return list(await self.shop.rows("SELECT * FROM buyers WHERE buyer_id = :id", id=order.buyer_id))

    async def export(self, storefront: str, request_id: str) -> Json:
        return (await self.shop.get(f"/privacy/requests/{request_id}/export", storefront)).json()

    async def held(self, person: Person) -> JsonObject:
        """All that can be found of this person's orders, and what they were shown."""
        orders, buyers = [one.order_id for one in person.orders], [one.buyer_id for one in person.orders]
        found: JsonObject = {}
        for table, theirs in _HELD.items():
            sql = f"SELECT to_jsonb(t) AS row FROM {table} t WHERE {theirs} ORDER BY 1"
            found[table] = [row.row for row in await self.shop.rows(sql, orders=orders, buyers=buyers)]
        found["exports"] = [await self.export(shop, request) for shop, request in person.exports]
        found["proofs"] = [
            (await self.shop.get(f"/privacy/requests/{row['request_id']}", row["storefront"])).json()
            for row in found["privacy_requests"]
        ]
        return found

    async def _post(self, order: Order, path: str, body: object) -> httpx.Response:
        return await self.shop.http.post(path, json=body, headers=self.shop.auth(order.storefront))

    async def _code(self, identity: UUID) -> ConfirmationRequested:
        async def there() -> ConfirmationRequested | None:
            for records in (await self._consumer.getmany(timeout_ms=50)).values():
                for record in records:
                    event = ConfirmationRequested.model_validate_json(record.value)
                    self._codes[event.confirmation_id] = event
            return self._codes.get(identity)

        return await self.stage.eventually(there)


@pytest.fixture
async def world(stage: Stage, shop_of: "StartShop", good_order: "OrderBody") -> AsyncIterator[World]:
    limits = dict.fromkeys(("orders_by_email", "orders_by_phone", "emails_by_phone"), 1000)
    settings = {"notifications_seal_public_key": NOTIFICATIONS.public_key, "fraud_limits": limits}
    shop = await shop_of(build, Settings, agent_keys={"support": "agents-key"}, **settings)
    topic = stage.prefix + ConfirmationRequested.topic
    consumer = AIOKafkaConsumer(topic, **stage.kafka.aiokafka(), auto_offset_reset="earliest", group_id=None)
    async with consumer:
        yield World(stage, shop, good_order, consumer)


@pytest.fixture
def people() -> Sequence[Person]:
    """The victim, and a stranger."""
    return Person("Zoë.Owner@example.org", "+77011234567"), Person("mallory@example.net", "+77019999999")
