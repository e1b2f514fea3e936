"""The judge sees what must not be: a good order is spoiled in one way each."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from campaign.journeys import Journey, Kind
from campaign.judge import unfinished, violations
from campaign.ledgers import Ledgers
from campaign.receivers import Heard
from shared.testing.documents import JsonObject
from tour.orders import Buyer, Money, Order, Shop

PRICE = 1990
ADDRESS = "k.1@buyers.example"
SHOP = Shop("esimka", "eSIMka", {}, ())
ORDER = Order("order-1", "10000001", SHOP, "tr", Money(PRICE, "USD"), Buyer("K", ADDRESS, "+7", "en"))
AT, LATER = "2026-11-30T10:00:00+00:00", "2026-11-30T10:00:09+00:00"
PAID: JsonObject = {
    "invoiceID": "100001",
    "status": "CHARGE",
    "captured": PRICE,
    "refunded": 0,
    "currency": "USD",
    "refunds": [],
}
BACK = PAID | {"refunded": PRICE, "refunds": [{"amount": PRICE, "at": AT}]}
PROFILE: JsonObject = {"iccid": "8999", "matchingId": "ABC-1", "state": "released", "calls": [], "topUps": []}
CANCELLED = PROFILE | {"state": "cancelled"}
QR = {
    "id": 1,
    "message_id": "order-1.qr@esim.example",
    "to": [ADDRESS],
    "at": AT,
    "text": "LPA:1$smdp.example$ABC-1 here",
    "subject": "Your eSIM",
}
SOLD = {"externalOrderNumber": "10000001", "operationType": 2, "total": PRICE}


def journey(kind: Kind = "bought", **changes: object) -> Journey:
    made = Journey(1, kind, "esimka", [ADDRESS], "K", ORDER, invoices=["100001"], paid_at=datetime.now(UTC))
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def heard(*types: str) -> dict[str, list[Heard]]:
    return {"esimka": [Heard(f"u-{name}", name, "order-1") for name in types]}


DELIVERED = Ledgers(
    transactions=[PAID],
    profiles=[PROFILE],
    mails=[QR],
    heard=heard("order.accepted", "order.paid", "order.delivered"),
)
REFUNDED = Ledgers(
    transactions=[BACK], profiles=[CANCELLED], heard=heard("order.accepted", "order.paid", "refund.settled")
)
NOTHING = Ledgers(heard=heard("order.accepted"))


def found(made: Journey, ledgers: Ledgers, status: str = "") -> list[str]:
    return [one.invariant for one in violations([made], ledgers, {"order-1": status})]


@pytest.mark.parametrize(
    ("made", "ledgers"),
    [
        (journey(), DELIVERED),
        (journey(), REFUNDED),
        (journey("never made"), REFUNDED),
        (journey("declined", paid_at=None), NOTHING),
        (journey(shop="qazaq-esim"), replace(DELIVERED, receipts=[SOLD])),
    ],
)
def test_a_good_end_is_none(made: Journey, ledgers: Ledgers) -> None:
    assert found(made, ledgers) == []
    assert unfinished([made], ledgers) == []


@pytest.mark.parametrize(
    ("invariant", "made", "ledgers"),
    [
        ("I1", journey(), replace(DELIVERED, mails=[])),
        ("I1", journey("never made"), DELIVERED),
        ("I2", journey(invoices=["100001", "2"]), replace(DELIVERED, transactions=[PAID, PAID | {"invoiceID": "2"}])),
        ("I3", journey(), replace(DELIVERED, transactions=[PAID | {"captured": 5}])),
        ("I3", journey(), replace(REFUNDED, transactions=[BACK | {"refunded": 2 * PRICE}])),
        ("I3", journey(), replace(DELIVERED, transactions=[PAID, PAID | {"invoiceID": "7"}])),
        ("I4", journey(), replace(DELIVERED, profiles=[PROFILE, PROFILE | {"iccid": "2", "matchingId": "XYZ"}])),
        ("I4", journey(), replace(DELIVERED, profiles=[PROFILE, {"iccid": "2", "state": "reserved"}])),
        ("I5", journey(), replace(DELIVERED, profiles=[])),
        ("I5", journey(paid_at=None), replace(DELIVERED, transactions=[])),
        ("I9", journey(paid_at=None, forged=True), replace(DELIVERED, transactions=[])),
        ("I7", journey(), replace(DELIVERED, mails=[QR, QR | {"id": 2, "message_id": "other.qr@esim.example"}])),
        ("I13", journey(), replace(REFUNDED, profiles=[PROFILE], mails=[QR])),
        (
            "I13",
            journey(),
            replace(
                REFUNDED,
                profiles=[
                    CANCELLED | {"calls": [{"at": LATER, "function": "cancelOrder", "status": "Executed-Success"}]}
                ],
                mails=[QR],
            ),
        ),
        ("I15", journey("used, refund asked", installed=True), replace(REFUNDED, mails=[QR])),
        ("webhooks", journey(), replace(DELIVERED, heard=heard("order.accepted", "order.paid"))),
        ("receipts", journey(shop="qazaq-esim"), DELIVERED),
        ("receipts", journey(shop="qazaq-esim"), replace(DELIVERED, receipts=[SOLD, SOLD])),
    ],
)
def test_a_bad_end_is_seen(invariant: str, made: Journey, ledgers: Ledgers) -> None:
    assert invariant in found(made, ledgers)


def test_only_an_erased_buyers_order_may_wait() -> None:
    ledgers = Ledgers(transactions=[PAID], heard=heard("order.accepted", "order.paid"))
    assert found(journey(erased=True), ledgers, "delivery_failed") == []
    assert found(journey(erased=True), ledgers, "paid") == ["I1"]
    assert found(journey(), ledgers, "delivery_failed") == ["I1"]


def test_a_top_up_is_applied_once_or_paid_back() -> None:
    made = journey("topped up", top_up=ORDER, top_up_invoices=["2"], iccid="8999")
    second = PAID | {"invoiceID": "2"}
    applied = PROFILE | {"topUps": [{"key": "k"}]}
    good = replace(DELIVERED, transactions=[PAID, second], profiles=[applied])
    assert found(made, good) == []
    assert found(made, replace(good, profiles=[PROFILE | {"topUps": [{"key": "k"}, {"key": "l"}]}])) == ["I7"]
    assert found(made, replace(good, profiles=[PROFILE])) == ["I1"]
    assert unfinished([made], replace(good, profiles=[PROFILE])) == [made]
