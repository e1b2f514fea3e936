"""Facts that the other services publish: recorded in any sequence, any number of times, before or after their order."""

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from ordering.tables import orders
from ordering.timeline.models import Fact, NewFact, OrderState, RecordedFact
from ordering.timeline.rules.facts import FACT_OF, observed_facts
from ordering.timeline.rules.status import status
from ordering.updates.bodies import BODIES
from ordering.updates.rules import SILENT, change_of, updates_of
from shared.contracts import (
    AppealReceived,
    CancellationAccepted,
    DataLow,
    DeliveryFailed,
    DuplicateCharged,
    Explanation,
    Ground,
    InformationNeeded,
    InstallStatus,
    Money,
    OrderEvent,
    OrderPaid,
    OrderPlaced,
    PaymentFailed,
    PaymentLapsed,
    ProfileExpired,
    ProfileExpiring,
    ProfileFailed,
    ProfileGenerated,
    ProfileObserved,
    ProfileRevoked,
    QrDelivered,
    ReceiptIssued,
    RefundApproved,
    RefundDenied,
    RefundFailed,
    RefundPaidByHand,
    RefundRequested,
    RefundRetried,
    RefundSettled,
    RevocationRefused,
    TopUpApplied,
    Usage,
)
from shared.ids import uuid7, uuid_for
from shared.sealed import Sealed
from shared.testing.documents import Json, JsonObject
from shared.testing.facts import PLAN
from shared.testing.stage import Stage

if TYPE_CHECKING:
    from services.ordering.tests.conftest import Shop

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
PRICE = Money(amount=1050, currency="USD")
ICCID = "8999999999999999999"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def at(minute: int) -> datetime:
    return NOON + timedelta(minutes=minute)


def observed(same: JsonObject, **moments: datetime) -> ProfileObserved:
    nothing = {"install": InstallStatus(), "usage": Usage()}
    return ProfileObserved(**same, iccid=ICCID, operator="op", **nothing, **moments, observed_at=at(30))


def low_data(same: JsonObject, percent: int, used_mb: int, minute: int) -> DataLow:
    used = used_mb * 2**20
    usage = {"threshold_percent": percent, "used_bytes": used, "total_bytes": used * 100 // percent}
    return DataLow(**same, **usage, iccid=ICCID, plan=PLAN, observed_at=at(minute))


def ending(same: JsonObject, reason: str, *, days: int) -> ProfileExpiring:
    end = NOON + timedelta(days=days)
    ends: JsonObject = {"reason": reason, "ends_at": end, "ends_on": end.date()}
    return ProfileExpiring(**same, **ends, iccid=ICCID, plan=PLAN, announced_at=at(24))


def everything_about(order_id: UUID) -> dict[Fact, list[OrderEvent]]:
    """Every event that may be published about an order, by fact; they contradict each other."""
    same: JsonObject = {
        "order_id": order_id,
        "order_number": "10000001",
        "storefront": "esimka",
        "buyer_id": uuid_for("buyer"),
    }
    case, refund, charge = (uuid_for(kind, str(order_id)) for kind in ("case", "refund", "charge"))
    approved = {"case_id": case, "refund_id": refund, "amount": PRICE, "policy": "RF-2026-04-22"}
    surplus = {"refund_id": uuid_for("surplus", str(order_id))}
    part: JsonObject = {"case_id": charge, "refund_id": uuid_for("part", str(order_id)), "remaining_payment": PRICE}
    by_hand = {"payment_id": uuid_for("hand", str(order_id)), "amount": PRICE, "left": PRICE, "way": "cash"}
    receipt: JsonObject = {"amount": PRICE, "check_number": "1", "ticket_url": "https://ofd.example/t/1"}
    reasons = {
        "grounds": (Ground(document="RF", clause="2.3", text="late"),),
        "explanation": Explanation(en="x", ru="y"),
    }
    code = Sealed(recipient="notifications", box="AAAA")
    paid = {"plan": PLAN, "paid_at": at(3)}
    return {
        Fact.PAYMENT_FAILED: [
            PaymentFailed(**same, invoice_id="1", reason_code=484, reason="x", failed_at=at(1)),
            PaymentFailed(**same, invoice_id="2", reason_code=1, reason="x", failed_at=at(2)),
        ],
        Fact.ORDER_PAID: [OrderPaid(**same, **paid, kind="esim", paid=PRICE, invoice_id="3")],
        Fact.PROFILE_GENERATED: [
            ProfileGenerated(
                **same,
                **paid,
                iccid=ICCID,
                activation_code=code,
                operator="op",
                generated_at=at(4),
                valid_until=at(9999),
            )
        ],
        Fact.PROFILE_FAILED: [ProfileFailed(**same, **paid, operator="op", reason="out of stock", failed_at=at(5))],
        Fact.TOP_UP_FAILED: [
            ProfileFailed(**same, **paid, operator="op", reason="ended", failed_at=at(5), kind="top_up", iccid=ICCID)
        ],
        Fact.TOP_UP_APPLIED: [
            TopUpApplied(
                **same,
                **paid,
                iccid=ICCID,
                operator="op",
                esim_order_id=uuid_for("esim"),
                total_bytes=6 * 2**30,
                applied_at=at(5),
            )
        ],
        Fact.PROFILE_INSTALLED: [observed(same, installed_at=at(21)), observed(same, installed_at=at(20))],
        Fact.PROFILE_ACTIVATED: [observed(same, activated_at=at(22))],
        Fact.PROFILE_FIRST_USED: [observed(same, first_used_at=at(23)), observed(same, first_used_at=at(22))],
        Fact.DATA_LOW: [low_data(same, 80, 4096, 23), low_data(same, 100, 5120, 24), low_data(same, 80, 8192, 25)],
        Fact.PROFILE_EXPIRING: [ending(same, "plan_ended", days=1), ending(same, "plan_ended", days=8)],
        Fact.PROFILE_DELETED: [observed(same, deleted_at=at(24)), observed(same, deleted_at=at(23))],
        Fact.PROFILE_EXPIRED: [ProfileExpired(**same, iccid=ICCID, reason="plan_ended", expired_at=at(25))],
        Fact.PROFILE_REVOKED: [
            ProfileRevoked(**same, iccid=ICCID, reason="refund", case_id=case, revoked_at=at(26)),
        ],
        Fact.REVOCATION_REFUSED: [
            RevocationRefused(**same, iccid=ICCID, case_id=case, reason="in use", refused_at=at(27)),
        ],
        Fact.DELIVERY_FAILED: [
            DeliveryFailed(**same, channel="email", smtp_code=550, failed_at=at(6)),
            DeliveryFailed(**same, channel="email", smtp_code=550, failed_at=at(7)),
        ],
        Fact.QR_DELIVERED: [QrDelivered(**same, channel="email", paid_at=at(3), delivered_at=at(8))],
        Fact.REFUND_REQUESTED: [RefundRequested(**same, case_id=case, reason="x", origin="system", requested_at=at(9))],
        Fact.INFORMATION_NEEDED: [
            InformationNeeded(
                **same, **reasons, case_id=case, missing=("evidence",), policy="esimka@2026-04-22", asked_at=at(9)
            )
        ],
        Fact.CANCELLATION_ACCEPTED: [
            CancellationAccepted(**same, case_id=case, policy="e-sim-onl@2026-03", grounds=(), accepted_at=at(9))
        ],
        Fact.REFUND_DENIED: [
            RefundDenied(**same, **reasons, case_id=case, policy="esimka@2026-04-22", denied_at=at(10)),
        ],
        Fact.APPEAL_RECEIVED: [AppealReceived(**same, case_id=case, received_at=at(11))],
        Fact.REFUND_APPROVED: [RefundApproved(**same, **approved, **reasons, approved_at=at(10))],
        Fact.REFUND_FAILED: [
            RefundFailed(**same, refund_id=refund, amount=PRICE, reason="x", failed_at=at(11), attempt=2)
        ],
        Fact.REFUND_RETRIED: [RefundRetried(**same, refund_id=refund, attempt=2, amount=PRICE, retried_at=at(11))],
        Fact.REFUND_PAID_BY_HAND: [RefundPaidByHand(**same, **by_hand, refund_id=refund, paid_at=at(12))],
        Fact.REFUND_SETTLED: [
            RefundSettled(**same, refund_id=refund, amount=PRICE, settled_at=at(12), credited_by=at(9 * 24 * 60).date())
        ],
        Fact.REFUND_PART_APPROVED: [RefundApproved(**same, **approved | part, **reasons, approved_at=at(10))],
        Fact.REFUND_PART_SETTLED: [RefundSettled(**same, **part, amount=PRICE, settled_at=at(12))],
        Fact.PAYMENT_LAPSED: [PaymentLapsed(**same, lapsed_at=at(2))],
        Fact.DUPLICATE_CHARGED: [
            DuplicateCharged(**same, charge_id=charge, invoice_id="4", amount=PRICE, captured_at=at(4))
        ],
        Fact.SURPLUS_REQUESTED: [
            RefundRequested(**same, case_id=charge, reason="double_charge", origin="system", requested_at=at(5))
        ],
        Fact.SURPLUS_APPROVED: [
            RefundApproved(**same, **approved | surplus, **reasons, approved_at=at(6), charge_id=charge)
        ],
        Fact.SURPLUS_FAILED: [
            RefundFailed(**same, **surplus, amount=PRICE, reason="x", failed_at=at(7), charge_id=charge)
        ],
        Fact.SURPLUS_RETRIED: [
            RefundRetried(**same, **surplus, attempt=2, amount=PRICE, retried_at=at(7), charge_id=charge)
        ],
        Fact.SURPLUS_PAID_BY_HAND: [RefundPaidByHand(**same, **surplus, **by_hand, paid_at=at(8), charge_id=charge)],
        Fact.SURPLUS_SETTLED: [RefundSettled(**same, **surplus, amount=PRICE, settled_at=at(8), charge_id=charge)],
        Fact.RECEIPT_ISSUED: [
            ReceiptIssued(**same, **receipt, receipt_id=case, kind="sale", issued_at=at(4)),
            ReceiptIssued(**same, **receipt, receipt_id=refund, kind="sale_return", refund_id=refund, issued_at=at(13)),
        ],
    }


async def insert_orders(shop: "Shop", ids: Sequence[UUID]) -> None:
    """Orders whose facts may already be here."""
    rows = [
        {
            "order_id": order_id,
            "storefront": "esimka",
            "buyer_id": uuid7(),
            "kind": "esim",
            "plan": PLAN.model_dump(mode="json"),
            "price": PRICE.amount,
            "currency": PRICE.currency,
            "offer_version": "1",
            "privacy_version": "1",
            "placed_at": NOON,
        }
        for order_id in ids
    ]
    async with shop.service.database.transaction() as tx:
        await tx.insert(orders, rows)


async def has_read(shop: "Shop", records: int) -> bool:
    """Whether the service has applied that many records, repetitions included."""
    consumed = sum(
        sample.value
        for metric in shop.service.metrics.consumed.collect()
        for sample in metric.samples
        if sample.name == "events_consumed_total"
    )
    return bool(consumed + shop.service.metrics.duplicates._value.get() >= records)


def recorded_of(event: OrderEvent) -> list[RecordedFact]:
    return observed_facts(event) if isinstance(event, ProfileObserved) else [FACT_OF[type(event)](event)]


def test_every_fact_becomes_an_update_that_fits_its_schema_or_is_silent_on_purpose() -> None:
    order_id = uuid7()
    state = OrderState(order_id, "esimka", 10000001, "esim", "tr-5gb-30d", 1050, "USD", "basket-1")
    for fact, events in everything_about(order_id).items():
        new = [NewFact(recorded, state) for event in events for recorded in recorded_of(event)]
        made = updates_of(new)
        assert len(made) == (0 if fact in SILENT else len(new)), fact
        for update in made:
            parsed = BODIES[update.type].model_validate(json.loads(update.body))
            # Nothing in the body that the schema does not describe.
            assert set(update.data) == type(parsed.data).model_fields.keys(), update.type  # type: ignore[attr-defined] # a created model
            assert update.storefront == "esimka"
            assert update.data["status"] == status({recorded.recorded.fact for recorded in new})


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_shuffled_and_duplicated_events_give_the_same_result(shop: "Shop", stage: Stage, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - a shuffle that can be repeated
    subsets = [dice.sample(sorted(everything_about(uuid7())), dice.randint(0, 10)) for _ in range(8)]
    facts_by_order = {uuid7(): subset for subset in subsets for _ in range(5)}
    stream = [
        event
        for order_id, subset in facts_by_order.items()
        for fact in subset
        for event in everything_about(order_id)[fact]
    ]
    dice.shuffle(stream)
    half = len(stream) // 2
    inserted_early = dice.sample(list(facts_by_order), 20)
    await insert_orders(shop, inserted_early)
    once = await stage.publish(*stream[:half])
    # The very same events again, and the same facts as new events.
    await stage.republish(*dice.sample(once, len(once) // 2))
    again = dice.sample(stream, half)
    await stage.publish(*[*stream[half:], *again])
    await stage.eventually(lambda: has_read(shop, len(stream) + half // 2 + half))
    await insert_orders(shop, [order_id for order_id in facts_by_order if order_id not in inserted_early])

    ends: dict[tuple[Fact, ...], set[str]] = {}
    for order_id, subset in facts_by_order.items():
        view = (await shop.get(f"/orders/{order_id}")).json()
        assert view["status"] == status(subset)
        lines = (await shop.get(f"/orders/{order_id}/timeline?lang=en")).json()
        story = [(line["at"], line["fact"], line["sentence"]) for line in lines]
        ends.setdefault(tuple(sorted(subset)), set()).add(str((view["facts"], story)))
        if order_id in inserted_early:
            # However often and in whatever sequence the facts arrive, the shop hears of each once.
            rows = await shop.rows("SELECT type, ref FROM updates WHERE order_id = :id", id=order_id)
            assert sorted((row.type, row.ref) for row in rows) == sorted(
                {
                    (change.type, change.ref)
                    for fact in subset
                    for event in everything_about(order_id)[fact]
                    for recorded in recorded_of(event)
                    if (change := change_of(recorded)) is not None
                }
            )
    assert all(len(stories) == 1 for stories in ends.values())


async def test_status_and_timeline_of_an_order(shop: "Shop", stage: Stage) -> None:
    content = (await shop.place(traceparent=TRACE)).json()
    [placed] = await stage.events(OrderPlaced)
    happened = everything_about(placed.event.order_id)
    events = [
        *happened[Fact.PAYMENT_FAILED],
        *happened[Fact.ORDER_PAID],
        *happened[Fact.PROFILE_FAILED],
        *happened[Fact.REFUND_REQUESTED],
        *happened[Fact.REFUND_APPROVED],
        *happened[Fact.REFUND_SETTLED],
    ]
    await stage.publish(*events, trace=TRACE)

    async def refunded() -> Json:
        view = (await shop.get(content["links"]["self"])).json()
        return view if view["status"] == "refunded" and len(view["facts"]) == 7 else None

    view = await stage.eventually(refunded)
    assert view["facts"]["order_paid"] == "2026-05-01T12:03:00Z"
    assert view["trace_id"] == TRACE[3:35]
    fields = {"order_id", "order_number", "status", "price", "plan", "links", "kind", "facts", "trace_id", "trace_url"}
    later = {
        "account_url",
        "test",
        "submission_id",
        "placed_at",
        "payment",
        "delivery",
        "esim",
        "refund_cases",
        "refunds",
    }
    assert set(view) == fields | later
    lines = (await shop.get(content["links"]["timeline"] + "?lang=en")).json()
    sentences = [line["sentence"] for line in lines if line["fact"] != "order_placed"]  # placed by the machine's clock
    assert sentences == [
        "A payment did not go through: insufficient funds. The order can still be paid.",
        "A payment did not go through. The order can still be paid.",
        "The payment was received.",
        "The operator could not make the eSIM.",
        "A refund was requested.",
        "The refund of 10.50 USD was approved (RF 2.3).",
        "The refund of 10.50 USD was sent to the original payment method; it usually arrives by 10 May 2026.",
    ]
    paid = next(line for line in lines if line["fact"] == "order_paid")
    assert paid["at"] == "2026-05-01T16:03:00+04:00"  # Tbilisi
    assert paid["trace_id"] == TRACE[3:35]
    assert len(paid["span_id"]) == 16
    by_default = (await shop.get(content["links"]["timeline"])).json()
    assert "Оплата получена." in [line["sentence"] for line in by_default]
    refused = await shop.get(content["links"]["timeline"] + "?lang=fr")
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    personal = ("anna", "example.org", "+7701")
    for path in content["links"].values():
        text = (await shop.get(path)).text.lower()
        assert not any(word in text for word in personal)


async def test_low_data_and_an_end_are_in_the_timeline(shop: "Shop", stage: Stage) -> None:
    content = (await shop.place()).json()
    [placed] = await stage.events(OrderPlaced)
    happened = everything_about(placed.event.order_id)
    fields = {name: getattr(placed.event, name) for name in OrderEvent.model_fields}
    unused = ending(fields, "never_activated", days=8)
    events = [*happened[Fact.PROFILE_FIRST_USED], *happened[Fact.DATA_LOW], *happened[Fact.PROFILE_EXPIRING], unused]
    await stage.publish(*events, events[0])

    async def lines(language: str) -> list[tuple[str, str]] | None:
        found = (await shop.get(content["links"]["timeline"] + f"?lang={language}")).json()
        lines = [(line["fact"], line["sentence"]) for line in found if line["fact"] != "order_placed"]
        return lines if len(lines) == 7 else None

    async def english() -> list[tuple[str, str]] | None:
        return await lines("en")

    # Callers know the names of the first release: what is newer is shown under the nearest of them.
    assert sorted(await stage.eventually(english)) == sorted(
        [
            ("profile_activated", "The eSIM was used for the first time."),
            ("profile_activated", "The eSIM's data is running low: 80 % is used; 5\xa0120 MB in total."),
            ("profile_activated", "The eSIM's data is running low: 100 % is used; 5\xa0120 MB in total."),
            ("profile_activated", "The eSIM's data is running low: 80 % is used; 10\xa0240 MB in total."),
            ("profile_generated", "The eSIM ends soon: its last day is 2 May 2026, unless it is topped up."),
            ("profile_generated", "The eSIM ends soon: its last day is 9 May 2026, unless it is topped up."),
            (
                "profile_generated",
                "The eSIM ends soon: its last day is 9 May 2026, unless it is activated by then (RC 7).",
            ),
        ]
    )
    russian = [sentence for _, sentence in await lines("ru") or ()]
    assert "Трафик eSIM заканчивается: использовано 80 %; всего 5\xa0120 МБ." in russian
    assert "Срок действия eSIM скоро закончится: последний день — 02.05.2026, если её не пополнить." in russian
