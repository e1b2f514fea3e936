"""Any order, any repetition, any split into batches: the same end; nothing personal stays; nothing stays for ever."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import SecretStr

from operations.facts.handlers import FactHandlers
from operations.facts.rows import ROWS, timeline_only
from operations.facts.rules import SHOWN_FIELDS, summary
from operations.hashes import EmailHashes
from operations.orders.rules import status
from operations.tables import metadata
from shared.contracts import (
    EVENTS,
    ApiKeyChanged,
    AppealReceived,
    BuyerContact,
    BuyerErasureRequested,
    Event,
    OrderSubmitted,
    PaymentsBuyerErased,
    RefundDenied,
)
from shared.contracts.refunds import Explanation
from shared.ids import uuid7
from shared.messaging.consumer import Received

if TYPE_CHECKING:
    from deploy.operations.tests.conftest import Life, Start


DAY = timedelta(days=1)
#: What facts fill.
_TABLES = ("orders", "esims", "cases", "refunds", "charges", "storefronts", "buyers", "facts")
#: When something arrived is the only thing that may depend on the order of arriving.
_OF_ARRIVAL = {column.name for table in metadata.tables.values() for column in table.c if "known_at" in column.name}


def _story(life: "type[Life]") -> list[Event]:
    """Every event that can be published about two orders of one buyer, twice where it can happen twice."""
    one, two = life(datetime.now(UTC) - DAY), life()
    two.about["buyer_id"] = two.buyer_id = one.buyer_id
    denied = _denied(one)
    again = one.requested().model_copy(update={"requested_at": one.at + timedelta(hours=3)})
    later = denied.model_copy(update={"denied_at": one.at + timedelta(hours=4)})
    return [
        *one.smooth(),
        one.receipt(),
        one.charged_twice(),
        one.requested(),
        again,
        denied,
        later,
        one.approved(),
        one.settled(),
        one.generated("8999702000000000009"),
        *two.smooth()[:2],
        two.failed(),
        two.delivered(),
        two.requested(),
        one.contact(),
        one.contact("new@example.org").model_copy(update={"updated_at": two.at}),
    ]


def _denied(order: "Life") -> RefundDenied:
    words = Explanation(en="", ru="")
    return RefundDenied(
        **order.about, case_id=order.case_id, policy="p", grounds=(), explanation=words, denied_at=order.at
    )


async def test_any_order_and_repetition_ends_the_same(start: "Start", life: "type[Life]") -> None:
    running = await start(evaluation_seconds=3600)
    database = running.service.database
    handlers = FactHandlers(EmailHashes(SecretStr("a-search-key-for-tests"))).handlers()
    now = datetime.now(UTC)
    story = [Received(event, uuid7(), now, None) for event in _story(life)]

    async def tables_after(chosen: list[Received[Event]], size: int) -> dict[str, list[dict[str, str]]]:
        async with database.transaction() as tx:
            for table in _TABLES:
                await tx.execute(f"DELETE FROM {table}")
        for begin in range(0, len(chosen), size):
            async with database.transaction() as tx:
                by_topic: dict[type[Event], list[Received[Event]]] = {}
                for received in chosen[begin : begin + size]:
                    by_topic.setdefault(type(received.event), []).append(received)
                for event_class, batch in by_topic.items():
                    await handlers[event_class](tx, batch)
        found = {}
        async with database.reading() as tx:
            for table in _TABLES:
                rows = (await tx.execute(f"SELECT * FROM {table}")).mappings()
                kept = [{name: str(v) for name, v in row.items() if name not in _OF_ARRIVAL} for row in rows]
                found[table] = sorted(kept, key=lambda row: json.dumps(row, sort_keys=True))
        return found

    expected = await tables_after(story, len(story))
    assert {table: len(rows) for table, rows in expected.items()}["orders"] == 2
    chance = random.Random(7)  # noqa: S311 - the same shuffles every time
    for _ in range(40):
        shuffled = story + chance.choices(story, k=chance.randrange(12))
        chance.shuffle(shuffled)
        assert await tables_after(shuffled, chance.randrange(1, len(shuffled))) == expected


async def test_a_request_is_open_until_it_is_denied_and_again_with_an_appeal(
    start: "Start", life: "type[Life]"
) -> None:
    running = await start(evaluation_seconds=3600)
    order, other_case = life(), uuid7()
    denied = _denied(order)
    hours = [order.at + timedelta(hours=passed) for passed in range(6)]
    expectations = (
        (order.requested(), "refund_requested"),
        (denied.model_copy(update={"denied_at": hours[1]}), "delivered"),
        (AppealReceived(**order.about, case_id=order.case_id, received_at=hours[2]), "refund_requested"),
        (denied.model_copy(update={"denied_at": hours[3]}), "delivered"),
        (order.requested().model_copy(update={"case_id": other_case, "requested_at": hours[0]}), "refund_requested"),
        (denied.model_copy(update={"case_id": other_case, "denied_at": hours[4]}), "delivered"),
        (order.requested().model_copy(update={"requested_at": hours[5]}), "refund_requested"),
        (order.approved(), "refund_approved"),
    )
    await running.known(*order.smooth())
    for fact, expected in expectations:
        await running.known(fact)
        [found] = (await running.get(f"/orders?order_id={order.order_id}")).json()
        assert found["status"] == expected, fact


def test_every_fact_of_the_product_is_applied_and_shown() -> None:
    handled = set(FactHandlers(EmailHashes(SecretStr("a-search-key-for-tests"))).handlers())
    of_product = {event for event in EVENTS.values() if event.__module__.startswith("shared.contracts")}
    # Hashes of API keys are read by the services that check keys, and by nobody else.
    assert of_product - handled == {OrderSubmitted, ApiKeyChanged}
    assert set(SHOWN_FIELDS) == handled - {BuyerContact}
    for event, (at, shown) in SHOWN_FIELDS.items():
        assert {at, *shown} <= set(event.model_fields), event


def test_a_summary_shows_no_sealed_code(life: "type[Life]") -> None:
    generated = life().generated()
    assert generated.activation_code.box not in json.dumps(summary(generated))
    assert summary(generated)["iccid"] == generated.iccid


async def test_nothing_of_an_erased_buyer_stays_and_nothing_comes_back(start: "Start", life: "type[Life]") -> None:
    running = await start(evaluation_seconds=3600)
    order, other = life(), life()
    await running.known(*order.smooth(), order.contact(), *other.smooth(), other.contact("bob@example.org"))
    hidden = ("ann@example.org", "Ann Example", "+995555000111")
    for table in metadata.tables:
        text = json.dumps(await running.rows(f"SELECT CAST(t.* AS text) AS row FROM {table} t"))
        assert not [word for word in hidden if word in text], table
    found = await running.post("/search", {"email": " ANN@example.org "})
    assert [one["order_id"] for one in found.json()] == [str(order.order_id)]

    await running.known(
        BuyerErasureRequested(buyer_id=order.buyer_id, storefront="esimka", request_id=uuid7(), requested_at=order.at)
    )
    await running.known(order.contact().model_copy(update={"updated_at": order.at + DAY}))
    assert (await running.post("/search", {"email": "ann@example.org"})).json() == []
    assert len((await running.post("/search", {"email": "bob@example.org"})).json()) == 1

    # A tombstone alone does it too.
    await running.stage.erase(BuyerContact, other.buyer_id)
    gone = "SELECT 1 FROM buyers WHERE buyer_id = :id AND email_hash IS NULL AND erased_at IS NOT NULL"
    await running.until_rows(gone, id=other.buyer_id)


async def test_what_is_old_is_forgotten_unless_something_is_wrong_with_it(start: "Start", life: "type[Life]") -> None:
    keep = 30
    running = await start(keep_days=keep)
    fine, broken, request_id = life(), life(), uuid7()
    erased = BuyerErasureRequested(
        buyer_id=fine.buyer_id, storefront="esimka", request_id=request_id, requested_at=fine.at
    )
    confirmed = PaymentsBuyerErased(buyer_id=fine.buyer_id, request_id=request_id, erased_at=fine.at)
    await running.known(*fine.smooth(), fine.requested(), fine.revoked())
    await running.known(fine.approved(), fine.settled(), fine.charged_twice())
    await running.known(broken.placed(), broken.paid(), erased, confirmed, fine.contact())
    running.clock.by = keep * DAY - timedelta(hours=1)
    fresh = life(running.clock.now())
    await running.known(*fresh.smooth(), fresh.contact("fresh@example.org"))
    running.clock.by = keep * DAY + timedelta(minutes=5)
    await running.evaluated()
    await running.deleted_old()

    left = {str(row["order_id"]) for row in await running.rows("SELECT order_id FROM orders")}
    assert left == {str(broken.order_id), str(fresh.order_id)}
    for table in ("esims", "cases", "refunds", "charges"):
        about = {str(row["order_id"]) for row in await running.rows(f"SELECT order_id FROM {table}")}
        assert about <= {str(fresh.order_id)}, table
    assert {str(row["order_id"]) for row in await running.rows("SELECT order_id FROM facts")} == {str(fresh.order_id)}
    assert [row["buyer_id"] for row in await running.rows("SELECT buyer_id FROM buyers")] == [fresh.buyer_id]
    # Three services have not confirmed the erasure: that is not forgotten.
    assert len(await running.rows("SELECT 1 AS one FROM erasures")) == 1


def test_an_order_that_was_released_is_not_shown_as_held() -> None:
    held, released = datetime(2026, 11, 30, 10, tzinfo=UTC), datetime(2026, 11, 30, 11, tzinfo=UTC)
    assert status({"held_at": held, "released_at": None}) == "held"
    assert status({"held_at": held, "released_at": released}) == "placed"
    assert status({"held_at": held, "released_at": released, "paid_at": released}) == "paid"


def test_a_fact_that_fills_no_column_changes_no_status() -> None:
    """A new fact belongs into a column, or here with the reason why no status, page or invariant misses it."""
    reasons = {
        "ConfirmationRequested": "the order waits for nothing",
        "MailboxProved": "says something about a mailbox, nothing about the order",
        "RefundRetryRequested": "RefundRetried says that the bank is asked again",
        "RefundActionAnswered": "as above",
        "HandPaymentRecorded": "RefundPaidByHand says what is still owed",
        "HandPaymentDecided": "as above",
        "ProfileExpiring": "a reminder: ProfileExpired is the change",
        "DataLow": "a reminder",
        "RequestRegistered": "RefundRequested has opened the case",
        "ClaimReceived": "claims are watched by refunds",
        "ClaimAnswered": "as above",
        "DeadlineNear": "nothing has happened: agents are alerted",
        "SupportAnswered": "the case stays as it is, and claims are watched by refunds",
    }
    assert {event.__name__ for event, rows in ROWS.items() if rows is timeline_only} == set(reasons)
