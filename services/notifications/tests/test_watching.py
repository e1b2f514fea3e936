"""Looks at many orders at once, as after an operator's outage: in parts, and each order once."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

import pytest
from pydantic import BaseModel

from notifications.delivery.cache import RecentEmails
from notifications.delivery.store import EmailQueue
from notifications.orders.handlers import BUCKET_SECONDS
from notifications.orders.models import Check, WatchExpiryPayload, WatchOrdersPayload
from notifications.orders.tasks import WatchExpiry, WatchOrders
from shared.database import Tx
from shared.ids import uuid7
from shared.outcomes import Done
from shared.tasks import Task, TaskResult

if TYPE_CHECKING:
    from services.notifications.tests.conftest import Start

MANY, PART = 1_100, 500
P = TypeVar("P", bound=BaseModel)
VALID_UNTIL = datetime(2027, 5, 19, 22, tzinfo=UTC)
_ORDERS = """
INSERT INTO orders (order_id, order_number, storefront, buyer_id, paid, paid_at, valid_until)
SELECT o.id, '10000001', 'esimka', :buyer, jsonb_set(CAST(:paid AS jsonb), '{order_id}', to_jsonb(o.id)),
       :paid_at, :valid_until
FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, :many)) AS o
"""


@pytest.mark.parametrize("mail", ["order", "delay", "expiring"])
async def test_a_scan_takes_a_part_and_goes_on_until_all_are_notified(start: "Start", mail: str) -> None:
    running = await start(mail_adapter="instant")
    buyer = running.buyer()
    paid = buyer.paid()
    watch = (WatchExpiry if mail == "expiring" else WatchOrders)(EmailQueue(RecentEmails()))
    async with running.service.database.transaction() as tx:
        await tx.execute(
            _ORDERS,
            buyer=buyer.buyer_id,
            paid=paid.model_dump_json(),
            paid_at=paid.paid_at,
            valid_until=VALID_UNTIL,
            many=MANY,
        )
    async with running.service.database.transaction() as tx:
        if isinstance(watch, WatchExpiry):
            await watch.record(tx, [TaskResult(_end_check(), Done(None))])
        else:
            await watch.record(tx, [TaskResult(_check(mail, paid.paid_at), Done(None))])
        assert await _notices(tx, mail) == PART
        assert [new.kind for new in tx.new_work if new.kind == watch.kind] == [watch.kind]
    await running.until_rows("SELECT 1 FROM mails WHERE kind = :kind OFFSET :last", kind=mail, last=MANY - 1)
    await running.until_rows("SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM work WHERE kind = :kind)", kind=watch.kind)
    [row] = await running.rows("SELECT count(*) AS mails FROM mails")
    assert row["mails"] == MANY


async def test_looks_of_one_transaction_share_its_part(start: "Start") -> None:
    running = await start(mail_adapter="instant")
    buyer = running.buyer()
    watch = WatchOrders(EmailQueue(RecentEmails()))
    paid_at = datetime.now(UTC) - timedelta(days=1)
    looks = [_check("order", paid_at + timedelta(minutes=number)) for number in range(3)]
    async with running.service.database.transaction() as tx:
        for number in range(3):
            await tx.execute(
                _ORDERS,
                buyer=buyer.buyer_id,
                paid=buyer.paid().model_dump_json(),
                paid_at=paid_at + timedelta(minutes=number),
                valid_until=None,
                many=PART * 3 // 5,
            )
    async with running.service.database.transaction() as tx:
        await watch.record(tx, [TaskResult(look, Done(None)) for look in looks])
        assert await _notices(tx, "order") == PART
        assert [new.key for new in tx.new_work if new.kind == watch.kind] == [look.key for look in looks[1:]]


async def test_who_hears_late_of_a_payment_and_then_of_the_code_writes_one_mail(start: "Start") -> None:
    """Notifications was down: the order's time is over, and the code is next in the topics."""
    running = await start(order_mail_after_seconds=3)
    buyer = running.buyer()
    await running.stage.publish(buyer.contact(), buyer.paid(ago=60), buyer.generated())
    assert await running.kinds(buyer.email, 1) == ["qr"]
    await running.until_rows(
        "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM work WHERE kind = 'watch_orders' AND payload->>'what' = 'answer')"
    )
    assert await running.rows("SELECT kind FROM mails") == [{"kind": "qr"}]


async def _notices(tx: Tx, mail: str) -> int:
    return int((await tx.execute("SELECT count(*) FROM mails WHERE kind = :kind", kind=mail)).scalar())


def _end_check() -> Task[WatchExpiryPayload]:
    """As the handlers schedule it."""
    return _task(WatchExpiry.kind, WatchExpiryPayload(since=VALID_UNTIL.replace(hour=0)), VALID_UNTIL)


def _check(email: str, paid_at: datetime) -> Task[WatchOrdersPayload]:
    """As the handlers schedule it."""
    checks: dict[str, Check] = {"order": "answer", "delay": "delay"}
    since = datetime.fromtimestamp(paid_at.timestamp() // BUCKET_SECONDS * BUCKET_SECONDS, UTC)
    return _task(WatchOrders.kind, WatchOrdersPayload(what=checks[email], since=since), paid_at)


def _task(kind: str, payload: P, created_at: datetime) -> Task[P]:
    key = uuid7()
    return Task(key, kind, f"test:{key}", payload, 0, False, None, created_at)  # noqa: FBT003 - not uncertain
