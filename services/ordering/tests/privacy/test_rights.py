"""Corrections of contact data (PP 6.1) and privacy requests (PP 6.2), confirmed by a code that only the buyer gets."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaConsumer
from pydantic import SecretStr
from services.ordering.tests.privacy.buyers import (
    AGENT,
    COMPANY,
    IDENTIFIED,
    NOT_SAID,
    PRIVACY_KEY,
    Buyer,
)

from shared.clock import SystemClock
from shared.contracts import (
    BuyerContact,
    BuyerErasureRequested,
    NotificationsBuyerErased,
    PaymentsBuyerErased,
    ProvisioningBuyerErased,
    RefundsBuyerErased,
)
from shared.kernel.privacy import PAGE_PROOF, page_proof
from shared.testing.documents import JsonObject
from shared.testing.stage import Stage

if TYPE_CHECKING:
    from services.ordering.tests.conftest import OrderBody

OTHERS = (PaymentsBuyerErased, ProvisioningBuyerErased, NotificationsBuyerErased, RefundsBuyerErased)


async def test_a_corrected_address_is_published_after_the_code_and_audited_without_its_value(
    stage: Stage, buyer: Buyer
) -> None:
    requested = await buyer.correct(email="Anna.New@example.org")
    code, event = await buyer.code()
    assert (requested.status_code, event.channel, event.purpose) == (202, "sms", "contact_change")
    assert len(await stage.events(BuyerContact)) == 1  # nothing has changed yet

    answer = await buyer.post(f"/confirmations/{requested.json()['confirmation_id']}", {"code": code})

    assert answer.json() == {"purpose": "contact_change", "state": "done"}
    [before, after] = [one.event for one in await stage.events(BuyerContact, count=2)]
    assert (after.buyer_id, after.email, after.phone) == (before.buyer_id, "Anna.New@example.org", before.phone)
    assert after.updated_at > before.updated_at
    [change] = await buyer.shop.rows("SELECT fields, confirmed_by FROM contact_changes")
    assert (change.fields, change.confirmed_by) == (["email"], "code by sms")
    again = await buyer.post(f"/confirmations/{requested.json()['confirmation_id']}", {"code": code})
    assert again.status_code == 409


async def test_a_new_phone_is_confirmed_by_mail(buyer: Buyer) -> None:
    await buyer.correct(phone="+77017654321")
    _, event = await buyer.code()
    assert event.channel == "email"


async def test_an_address_that_another_buyer_uses_does_not_merge_buyers(
    stage: Stage, buyer: Buyer, good_order: "OrderBody"
) -> None:
    await buyer.shop.place(good_order(email="other@example.org"))

    assert (await buyer.confirm(await buyer.correct(email="other@example.org"))).status_code == 200

    await buyer.shop.place(good_order(email="OTHER@example.org"))
    published = [one.event for one in await stage.events(BuyerContact, count=4)]
    people = {row.buyer_id for row in await buyer.shop.rows("SELECT buyer_id FROM orders")}
    assert len(people) == 3
    assert {one.buyer_id for one in published} == people


async def test_wrong_codes_are_counted_and_end_the_request(buyer: Buyer) -> None:
    requested = await buyer.correct(name="Mallory")
    right, _ = await buyer.code()
    wrong = "000000" if right != "000000" else "111111"
    path = f"/confirmations/{requested.json()['confirmation_id']}"

    statuses = [(await buyer.post(path, {"code": wrong})).status_code for _ in range(6)]

    assert statuses == [403] * 5 + [410]
    assert (await buyer.post(path, {"code": right})).status_code == 410
    assert (await buyer.shop.rows("SELECT name FROM buyers"))[0].name == "Anna Berg"


async def test_codes_are_limited_by_order_and_day(buyer: Buyer) -> None:
    statuses = [(await buyer.correct(name=f"Name {n}")).status_code for n in range(6)]
    assert statuses == [202] * 5 + [429]


async def test_a_shop_that_uses_up_its_requests_does_not_block_the_account_page(buyer: Buyer) -> None:
    order_id = UUID(buyer.order["order_id"])
    by_stranger = await asyncio.gather(*(buyer.ask("erase") for _ in range(8)))
    assert Counter(answer.status_code for answer in by_stranger) == {202: 5, 429: 3}
    refused = next(answer for answer in by_stranger if answer.status_code == 429)
    assert refused.json()["type"] == "urn:problem:too-many-codes"
    assert refused.headers["retry-after"] == "86400"
    # No shop can make what the account page shows: not with another key, nor out of another order's.
    for wrong in ("", "\ufffd".encode(), page_proof(PRIVACY_KEY, uuid4()), page_proof(SecretStr("other"), order_id)):
        assert (await buyer.ask("erase", **{PAGE_PROOF: wrong})).status_code == 429  # type: ignore[arg-type] # bytes too
    proof = {PAGE_PROOF: page_proof(PRIVACY_KEY, order_id)}
    on_the_page = await asyncio.gather(*(buyer.ask("export", **proof) for _ in range(8)))
    assert Counter(answer.status_code for answer in on_the_page) == {202: 5, 429: 3}, "and the mailbox gets no flood"
    assert buyer.shop.service.metrics.limits.labels("codes")._value.get() == 3 + 4 + 3


async def test_nine_requests_at_once_send_five_codes(buyer: Buyer) -> None:
    answers = await asyncio.gather(*(buyer.correct(name=f"Name {n}") for n in range(9)))
    assert Counter(answer.status_code for answer in answers) == {202: 5, 429: 4}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"email": "nobody"}, "email"),
        ({"phone": "12"}, "phone"),
        ({}, "body"),
        ({"name": "Anna\x00"}, "name"),
        ({"name": "Anna\x07"}, "name"),
        ({"email": "anna\x00@example.org"}, "email"),
        ({"phone": "+7701\x001234567"}, "phone"),
    ],
)
async def test_a_correction_that_is_not_valid_says_which_field(buyer: Buyer, fields: JsonObject, named: str) -> None:
    answer = await buyer.correct(**fields)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [named]


async def test_an_agent_corrects_without_a_code_and_by_name(stage: Stage, buyer: Buyer) -> None:
    path = f"/orders/{buyer.order['order_number']}/contact"
    body = {"phone": "+77017654321", "identified": IDENTIFIED}
    assert (await buyer.shop.http.put(path, json=body, headers=AGENT)).status_code == 200

    [_, after] = await stage.events(BuyerContact, count=2)
    assert after.event.phone == "+77017654321"
    [change] = await buyer.shop.rows("SELECT confirmed_by, identification FROM contact_changes")
    assert change.confirmed_by == "agent support"
    assert change.identification == {**IDENTIFIED, **NOT_SAID, "representative": False}
    assert (await buyer.shop.http.put(path, json=body, headers=buyer.shop.auth())).status_code == 401
    unknown = await buyer.shop.http.put(path, json={"phone": "+77017654322"}, headers=AGENT)
    assert (unknown.status_code, unknown.json()["errors"][0]["field"]) == (422, "identified")


async def test_the_authority_of_a_representative_is_stored_with_the_proof(buyer: Buyer) -> None:
    path = f"/orders/{buyer.order['order_number']}/privacy-requests"
    body: JsonObject = {"kind": "erase", "identified": {**IDENTIFIED, "representative": True}}
    assert (await buyer.shop.http.post(path, json=body, headers=AGENT)).status_code == 422
    body["identified"] |= {"authority": "power_of_attorney", "authority_date": "2026-11-02"}
    assert (await buyer.shop.http.post(path, json=body, headers=buyer.shop.auth())).status_code == 401

    done = await buyer.shop.http.post(path, json=body, headers=AGENT)

    assert (done.status_code, done.json()["state"]) == (201, "running")
    proof = (await buyer.shop.get(f"/privacy/requests/{done.json()['request_id']}")).json()
    assert (proof["confirmed_by"], proof["identified"]) == ("agent support", NOT_SAID | body["identified"])
    assert await buyer.shop.rows("SELECT 1 FROM buyers") == []


async def test_another_shop_sees_nothing(buyer: Buyer) -> None:
    other = buyer.shop.auth("e-sim-onl")
    requested = await buyer.ask("erase")
    code, _ = await buyer.code()
    path = f"/confirmations/{requested.json()['confirmation_id']}"

    assert (await buyer.shop.http.post(path, json={"code": code}, headers=other)).status_code == 404
    state = f"/privacy/requests/{requested.json()['request_id']}"
    assert (await buyer.shop.http.get(state, headers=other)).status_code == 404
    body = {"order": buyer.order["order_id"], "kind": "export"}
    assert (await buyer.shop.http.post("/privacy/requests", json=body, headers=other)).status_code == 404


async def test_an_erased_buyer_leaves_orders_and_a_proof(stage: Stage, buyer: Buyer) -> None:
    requested = await buyer.ask("erase")
    state = f"/privacy/requests/{requested.json()['request_id']}"
    assert (await buyer.shop.get(state)).json()["state"] == "awaiting_confirmation"

    assert (await buyer.confirm(requested)).json() == {"purpose": "erase", "state": "running"}

    [wanted] = await stage.events(BuyerErasureRequested)
    assert str(wanted.event.request_id) == requested.json()["request_id"]
    proof = (await buyer.shop.get(state)).json()
    assert (proof["state"], proof["confirmed_by"]) == ("running", "code by email")
    assert proof["waiting_for"] == ["payments", "provisioning", "notifications", "refunds"]
    now = SystemClock().now()
    confirmations = [one(buyer_id=wanted.event.buyer_id, kept=("ledger: tax law",), erased_at=now) for one in OTHERS]
    await stage.publish(*confirmations)

    async def proved() -> bool:
        return bool((await buyer.shop.get(state)).json()["state"] == "done")

    await stage.eventually(proved)
    proof = (await buyer.shop.get(state)).json()
    assert set(proof["services"]) == {"ordering", "payments", "provisioning", "notifications", "refunds"}
    assert proof["services"]["payments"]["kept"] == ["ledger: tax law"]
    for table in ("buyers", "session_records"):
        assert await buyer.shop.rows(f"SELECT 1 FROM {table}") == []
    assert (await buyer.shop.get(f"/orders/{buyer.order['order_id']}")).status_code == 200
    assert (await buyer.correct(name="Anna")).status_code == 410


async def test_the_tombstone_is_repeated_so_that_a_quiet_log_is_compacted_too(stage: Stage, buyer: Buyer) -> None:
    await buyer.confirm(await buyer.ask("erase"))
    [(due, buyer_id)] = await buyer.shop.rows("SELECT due_at, key FROM work WHERE kind = 'repeat_tombstone'")
    assert timedelta(hours=1) < due - SystemClock().now() < timedelta(hours=2)
    async with buyer.shop.service.database.transaction() as tx:
        await tx.execute("UPDATE work SET due_at = :now WHERE kind = 'repeat_tombstone'", now=tx.now)

    async def twice() -> bool:
        return await tombstones(stage, buyer_id) == 2

    await stage.eventually(twice)


async def tombstones(stage: Stage, key: str) -> int:
    """How many records without a value the topic of contacts has under this key."""
    topic = stage.prefix + BuyerContact.topic
    consumer = AIOKafkaConsumer(topic, **stage.kafka.aiokafka(), auto_offset_reset="earliest")
    async with consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        found = 0
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=100)).values():
                found += sum(record.value is None and record.key == key.encode() for record in records)
    return found


async def test_a_replayed_submission_does_not_bring_an_erased_buyer_back(
    stage: Stage, buyer: Buyer, good_order: "OrderBody"
) -> None:
    await buyer.confirm(await buyer.ask("erase"))

    again = await buyer.shop.place(good_order(), key="first")

    assert (again.status_code, again.json()["type"]) == (422, "urn:problem:idempotency-key-reused")
    assert await buyer.shop.rows("SELECT 1 FROM buyers") == []
    new = await buyer.shop.place(good_order(), key="second")  # a new purchase is a new buyer
    assert new.status_code == 201


async def test_a_block_is_published_and_only_the_mailbox_lifts_it(
    stage: Stage, buyer: Buyer, good_order: "OrderBody"
) -> None:
    await buyer.confirm(await buyer.ask("block"))
    [before, blocked] = [one.event for one in await stage.events(BuyerContact, count=2)]
    assert (before.blocked, blocked.blocked, blocked.newsletter) == (False, True, False)

    await buyer.shop.place(good_order(), key="second")

    others = await stage.events(BuyerContact, where=lambda contact: contact.buyer_id != before.buyer_id)
    assert not others[0].event.blocked
    [kept] = await buyer.shop.rows("SELECT blocked FROM buyers WHERE buyer_id = :id", id=before.buyer_id)
    assert kept.blocked
    requested = await buyer.ask("unblock")
    _, event = await buyer.code()
    assert (event.purpose, event.lifts, event.channel) == ("block", True, "email")
    buyer.codes -= 1
    assert (await buyer.confirm(requested)).status_code == 200
    published = await stage.events(BuyerContact, count=3, where=lambda contact: contact.buyer_id == before.buyer_id)
    assert [one.event.blocked for one in published] == [False, True, False]


async def test_an_export_is_everything_as_json_and_as_a_page(buyer: Buyer, good_order: "OrderBody") -> None:
    second = (await buyer.shop.place(good_order(name="<b>Anna</b>", company=COMPANY), key="second")).json()
    first, buyer.order = buyer.order, second
    await buyer.confirm(await buyer.ask("export"))  # which proves the mailbox of the second order
    buyer.order = first
    requested = await buyer.ask("export")
    path = f"/privacy/requests/{requested.json()['request_id']}/export"
    assert (await buyer.shop.get(path)).status_code == 409

    await buyer.confirm(requested)

    found = (await buyer.shop.get(path)).json()["ordering"]
    assert (found["buyer"][0]["email"], len(found["orders"])) == ("anna@example.org", 2)
    assert COMPANY in [one["company"] for one in found["buyer"]]
    shown = await buyer.shop.http.get(path, headers={**buyer.shop.auth(), "Accept": "text/html"})
    assert "anna@example.org" in shown.text
    assert "<b>Anna" not in shown.text


async def test_unknown_requests_are_refused(buyer: Buyer) -> None:
    assert (await buyer.post(f"/confirmations/{uuid4()}", {"code": "123456"})).status_code == 404
    assert (await buyer.post(f"/confirmations/{uuid4()}", {"code": "12"})).status_code == 422
    assert (await buyer.shop.get(f"/privacy/requests/{UUID(int=1)}")).status_code == 404
    assert (await buyer.post("/privacy/requests", {"order": "99999999", "kind": "erase"})).status_code == 404


async def test_codes_expire(stage: Stage, buyer: Buyer) -> None:
    requested = await buyer.correct(name="Late")
    code, _ = await buyer.code()
    async with buyer.shop.service.database.transaction() as tx:
        await tx.execute("UPDATE confirmations SET expires_at = :then", then=tx.now - timedelta(seconds=1))

    assert (
        await buyer.post(f"/confirmations/{requested.json()['confirmation_id']}", {"code": code})
    ).status_code == 410
