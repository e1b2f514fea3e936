"""The toy service: reads OrderPaid, makes one call outside, publishes QrDelivered."""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from sqlalchemy import Column, Integer, MetaData, Table, Uuid

from shared.clock import Clock
from shared.contracts import BuyerContact, OrderPaid, QrDelivered
from shared.database import Tx
from shared.kernel.service import Service
from shared.messaging.consumer import Received, Tombstone
from shared.outcomes import Done, Outcome
from shared.task_payload import TaskPayload
from shared.tasks import Task, TaskResult
from shared.testing.toy.settings import Settings

metadata = MetaData()
seen = Table(
    "seen",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("handled", Integer, nullable=False),
    Column("recorded", Integer, nullable=False, server_default="0"),
)
POISON = "poison"


class Greeting(TaskPayload):
    """Payload of `greet`: the order that is answered."""

    order: OrderPaid


Call = Callable[[Task[Greeting]], Awaitable[Outcome[None]]]


async def order_paid(tx: Tx, batch: Sequence[Received[OrderPaid]]) -> None:
    """Count each order and schedule the call."""
    if any(received.event.plan.title == POISON for received in batch):
        raise ValueError("a fact that this service cannot apply")
    rows = [{"order_id": received.event.order_id, "handled": 1} for received in batch]
    again = "ON CONFLICT (order_id) DO UPDATE SET handled = seen.handled + 1"
    await tx.insert(seen, sorted(rows, key=lambda row: row["order_id"]), on_conflict=again)
    for received in batch:
        tx.schedule("greet", str(received.event.order_id), Greeting(order=received.event), trace=received.trace)


async def _contact(_tx: Tx, _batch: Sequence[Received[BuyerContact]]) -> None:
    """Contacts are not stored."""


class Greet:
    """Task `greet`: calls the outside, then publishes QrDelivered. The key is the order's id."""

    kind = "greet"
    payload = Greeting
    concurrency = 8

    def __init__(self, call: Call) -> None:
        self._call = call

    async def perform(self, task: Task[Greeting]) -> Outcome[None]:
        """Call the outside."""
        return await self._call(task)

    async def record(self, tx: Tx, results: Sequence[TaskResult[None, Greeting]]) -> None:
        """One delivery per order."""
        ids = [UUID(result.task.key) for result in results]
        await tx.execute(
            "UPDATE seen SET recorded = recorded + 1 WHERE order_id = ANY(CAST(:ids AS uuid[]))", ids=sorted(ids)
        )
        for result in results:
            order = result.task.payload.order.model_dump()
            fact = QrDelivered.model_validate({**order, "channel": "email", "delivered_at": tx.now})
            tx.publish(fact, trace=result.task.continues)


async def _answers_at_once(_task: Task[Greeting]) -> Outcome[None]:
    """The default call: done at once."""
    return Done(None)


def build(settings: Settings, *, clock: Clock | None = None, call: Call = _answers_at_once) -> Service:
    """The toy; `call` is what its task calls outside."""
    service = Service("shared.testing.toy", settings, clock=clock)
    erased: list[str] = []

    async def erase(_tx: Tx, batch: Sequence[Tombstone]) -> None:
        erased.extend(tombstone.key for tombstone in batch)

    service.consumes({OrderPaid: order_paid, BuyerContact: _contact})
    service.forgets(BuyerContact, erase)
    service.performs(Greet(call))
    service.app.state.erased = erased
    return service
