"""What shops hear: each state once, written with the fact, in bodies that their schemas describe."""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import jsonschema
import pytest

from ordering.app import build
from ordering.privacy.actions import confirm_erasures
from ordering.privacy.models import SERVICES, ConfirmedErasure
from ordering.settings import Settings
from ordering.timeline.models import Fact, RecordedFact
from ordering.updates import record
from ordering.updates.bodies import BODIES
from ordering.updates.examples import EXAMPLES
from ordering.updates.models import TYPES, Update
from ordering.updates.schemas import documents, main, text
from shared.clock import SystemClock
from shared.contracts import OrderPlaced, OrderRejected
from shared.database import Rows
from shared.ids import uuid7, uuid7_floor
from shared.testing.documents import Row
from shared.testing.facts import paid
from shared.testing.stage import Stage

if TYPE_CHECKING:
    from services.ordering.tests.conftest import OrderBody, Shop, StartShop

FOLDER = Path(__file__).parents[2] / "interfaces" / "updates"


class Watch:
    """The machine's clock, put forward."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return SystemClock().now() + self.ahead


async def heard(shop: "Shop", *types: str) -> list[Row]:
    """The updates in the sequence in which they were written. Each fits its schema."""
    rows = await shop.rows("SELECT * FROM updates ORDER BY update_id")
    for row in rows:
        jsonschema.validate(row.body, documents()[f"{row.type}.json"])
    return [row for row in rows if not types or row.type in types]


def test_the_committed_schemas_and_examples_are_what_the_code_says() -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert committed == {name: text(document) for name, document in documents().items()}, "run `make interfaces`"


@pytest.mark.parametrize("type_", TYPES)
def test_every_type_has_an_example_that_fits(type_: str) -> None:
    example = EXAMPLES[type_]  # type: ignore[index] # one of the types
    assert example["type"] == type_
    jsonschema.validate(example, documents()[f"{type_}.json"])
    BODIES[type_].model_validate(example)  # type: ignore[index] # as above


def test_a_schema_takes_nothing_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(tmp_path) == 0
    promised = documents()["order.paid.json"]
    order = promised["$defs"]["OrderData"]
    order["properties"]["coupon"] = {"type": "string", "title": "Coupon"}
    order["required"].append("coupon")
    (tmp_path / "order.paid.json").write_text(json.dumps(promised))
    assert main(tmp_path) == 1
    assert "coupon" in capsys.readouterr().err
    assert "coupon" in (tmp_path / "order.paid.json").read_text()


async def test_an_accepted_order_and_its_payment(shop: "Shop", stage: Stage) -> None:
    answer = (await shop.place(key="basket-1")).json()
    assert (await shop.place(key="basket-1")).headers["Idempotent-Replay"] == "true"
    [placed] = await stage.events(OrderPlaced)
    event = paid(order_id=placed.event.order_id)
    await stage.publish(event)

    async def both() -> list[Row]:
        rows = await heard(shop)
        return rows if len(rows) == 2 else []

    accepted, money = await stage.eventually(both)
    same = {
        "order_id": answer["order_id"],
        "order_number": answer["order_number"],
        "submission_id": "basket-1",
        "kind": "esim",
        "plan_id": "tr-5gb-30d",
        "price": answer["price"],
        "test": False,
    }
    assert (accepted.type, accepted.body["data"]) == ("order.accepted", same | {"status": "placed"})
    assert (money.type, money.body["data"]) == ("order.paid", same | {"status": "paid"})
    assert datetime.fromisoformat(money.body["timestamp"]) == event.paid_at == money.occurred_at
    assert accepted.storefront == money.storefront == "esimka"
    text_of_all = str([row.body for row in (accepted, money)]).lower()
    assert not any(word in text_of_all for word in ("anna", "example.org", "+7701"))


async def test_held_released_and_refused_orders(stage: Stage, shop_of: "StartShop", good_order: "OrderBody") -> None:
    limits = {"orders_by_email": 1}
    shop = await shop_of(build, Settings, fraud_limits=limits, agent_keys={"olga": "key-o"})
    for key in ("1", "2", "3"):
        await shop.place(good_order(), key=key)
    held = await heard(shop, "order.held")
    assert [row.body["data"]["submission_id"] for row in held] == ["2", "3"]
    accepted = await heard(shop, "order.accepted")
    assert [row.body["data"]["status"] for row in accepted] == ["placed", "held", "held"]
    assert [row.type for row in await heard(shop)][-2:] == ["order.accepted", "order.held"], "in this sequence"
    agent = {"Authorization": "Bearer key-o"}
    await shop.http.post(f"/orders/{held[0].order_id}/release", headers=agent)
    await shop.http.post(f"/orders/{held[1].order_id}/refusal", headers=agent)
    released, rejected = await heard(shop, "order.released", "order.rejected")
    assert (released.order_id, released.body["data"]["status"]) == (held[0].order_id, "placed")
    assert (rejected.order_id, rejected.body["data"]["status"]) == (held[1].order_id, "refused")
    assert rejected.body["data"]["reason"] == "refused-by-agent"


async def test_a_refused_submission_over_kafka(shop: "Shop", stage: Stage, good_order: "OrderBody") -> None:
    await stage.publish(shop.submitted("s1", good_order(email="secret", phone="secret")))
    await stage.events(OrderRejected)
    [rejected] = await heard(shop)
    assert (rejected.order_id, rejected.type, rejected.storefront) == (None, "order.rejected", "esimka")
    data = rejected.body["data"]
    assert (data["order_id"], data["submission_id"], data["reason"]) == (None, "s1", "invalid-order")
    assert {error["field"] for error in data["errors"]} == {"buyer.email", "buyer.phone"}
    assert "secret" not in str(rejected.body)


async def test_a_buyer_is_erased_when_every_service_has_confirmed_it(shop: "Shop") -> None:
    answer = (await shop.place()).json()
    [buyer] = await shop.rows("SELECT buyer_id FROM buyers")
    for service in SERVICES:
        assert await heard(shop, "buyer.erased") == []
        for _ in range(2):
            async with shop.service.database.transaction() as tx:
                await confirm_erasures(tx, service, [ConfirmedErasure(buyer.buyer_id, (), tx.now)])
    [erased] = await heard(shop, "buyer.erased")
    assert erased.body["data"]["order_id"] == answer["order_id"]


async def test_updates_are_deleted_after_a_month(stage: Stage) -> None:
    watch = Watch()
    service = await stage.service(partial(build, clock=watch), Settings)

    async def due_later() -> bool:
        async with service.database.reading() as tx:
            row = await tx.execute("SELECT 1 FROM work WHERE kind = 'delete_updates' AND due_at > :now", now=tx.now)
            return row.first() is not None

    await stage.eventually(due_later)
    insert = """INSERT INTO updates (update_id, storefront, order_id, type, ref, occurred_at, body)
                VALUES (:id, 'esimka', :order_id, 'order.paid', '', now(), '{}')"""
    now = SystemClock().now()
    kept = uuid7_floor(now - timedelta(days=29, hours=20))
    async with service.database.transaction() as tx:
        for update_id in (kept, uuid7_floor(now - timedelta(days=30))):
            await tx.execute(insert, id=update_id, order_id=uuid7())
    watch.ahead = timedelta(hours=2)

    async def left() -> bool:
        async with service.database.reading() as tx:
            return (await tx.execute("SELECT update_id FROM updates")).scalars() == [kept]

    await stage.eventually(left)


def test_updates_have_ids_in_the_sequence_in_which_they_are_made() -> None:
    ids = [Update("esimka", None, "order.rejected", "", SystemClock().now(), {}).id for _ in range(10_000)]
    assert ids == sorted(set(ids))
    assert {update_id.version for update_id in ids} == {7}


async def test_a_batch_of_facts_costs_two_statements_whatever_its_size(shop: "Shop") -> None:
    orders = [UUID((await shop.place()).json()["order_id"]) for _ in range(6)]
    counts = []
    for batch in (orders[:1], orders[1:]):
        statements: list[str] = []
        async with shop.service.database.transaction() as tx:
            execute = tx.execute

            async def note(
                sql: str,
                execute: Callable[..., Awaitable[Rows]] = execute,
                statements: list[str] = statements,
                **parameters: object,
            ) -> Rows:
                statements.append(sql)
                return await execute(sql, **parameters)

            tx.execute = note  # type: ignore[method-assign] # counts the statements of this transaction
            await record(tx, [(order_id, RecordedFact(Fact.ORDER_PAID, tx.now)) for order_id in batch])
            counts.append(len(statements))
    assert counts == [2, 2]
    assert {row.order_id for row in await heard(shop, "order.paid")} == set(orders)
