"""Webhooks as the library of the standard signs them; what is not genuine, and what a newer service sends."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from esim_fulfilment import (
    BuyerErased,
    EsimEvent,
    InvalidWebhookError,
    OrderEvent,
    RefundEvent,
    UnknownEvent,
    verify_webhook,
)
from esim_fulfilment.testing import signed_webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_C2FtcGxlLXNlY3JldC1vZi10aGUtb3RoZXItb25l"
DATA = {"order_id": "0198b3c4-0000-7000-8000-000000000001", "order_number": "10000001", "submission_id": "basket-1"}


def signed(body: bytes, *, secret: str = SECRET, age: timedelta = timedelta()) -> dict[str, str]:
    return signed_webhook(body, secret, age=age)[0]


def payload(type_: str, **data: object) -> bytes:
    return json.dumps({"type": type_, "timestamp": "2026-11-29T12:00:00Z", "data": {**DATA, **data}}).encode()


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("order.delivered", OrderEvent),
        ("refund.settled", RefundEvent),
        ("esim.data_low", EsimEvent),
        ("buyer.erased", BuyerErased),
    ],
)
def test_a_genuine_webhook_is_a_typed_event(type_: str, kind: type) -> None:
    body = payload(type_)
    event = verify_webhook(signed(body), body, SECRET)
    assert type(event) is kind
    assert (event.id, event.type, event.timestamp) == ("msg-1", type_, datetime(2026, 11, 29, 12, tzinfo=UTC))
    assert not isinstance(event, UnknownEvent)
    assert event.data.order_number == "10000001"


def test_every_secret_that_is_valid_is_tried() -> None:
    body = payload("order.paid")
    assert verify_webhook(signed(body, secret=OTHER), body, [SECRET, OTHER]).type == "order.paid"
    both = signed(body)
    both["webhook-signature"] = signed(body, secret=OTHER)["webhook-signature"] + " " + both["webhook-signature"]
    assert verify_webhook(both, body, SECRET).type == "order.paid"


def test_an_unknown_type_and_unknown_fields_are_kept() -> None:
    body = payload("order.gift_wrapped", ribbon="red")
    event = verify_webhook(signed(body), body, SECRET)
    assert isinstance(event, UnknownEvent)
    assert event.data == {**DATA, "ribbon": "red"}
    body = payload("order.delivered", ribbon="red")
    event = verify_webhook(signed(body), body, SECRET)
    assert isinstance(event, OrderEvent)
    assert event.data.model_extra == {"ribbon": "red"}


def test_a_known_type_in_another_form_is_kept_too() -> None:
    body = payload("order.delivered", price="free")
    assert isinstance(verify_webhook(signed(body), body, SECRET), UnknownEvent)


def altered(name: str, value: str | None) -> dict[str, str]:
    headers = signed(payload("order.paid"))
    if value is None:
        del headers[name]
    else:
        headers[name] = value
    return headers


@pytest.mark.parametrize(
    "headers",
    [
        {},
        altered("webhook-id", None),
        altered("webhook-id", "msg-2"),
        altered("webhook-timestamp", "yesterday"),
        altered("webhook-timestamp", "0"),
        altered("webhook-signature", None),
        altered("webhook-signature", "v1"),
        altered("webhook-signature", "v1,x"),
        altered("webhook-signature", "v1,é"),
        altered("webhook-signature", "v2,AAAA"),
        signed(payload("order.paid"), secret=OTHER),
    ],
)
def test_what_is_not_genuine_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(InvalidWebhookError):
        verify_webhook(headers, payload("order.paid"), SECRET)


@pytest.mark.parametrize("minutes", [6, -6])
def test_what_was_sent_at_another_time_is_refused(minutes: int) -> None:
    """Signed here: between the collection of tests and this one, minutes may pass."""
    body = payload("order.paid")
    with pytest.raises(InvalidWebhookError):
        verify_webhook(signed(body, age=timedelta(minutes=minutes)), body, SECRET)


@pytest.mark.parametrize("body", [b"\xff\xfe", payload("order.paid") + b" ", b""])
def test_an_altered_body_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidWebhookError):
        verify_webhook(signed(payload("order.paid")), body, SECRET)


@pytest.mark.parametrize("body", [b"[]", b"no json", b'{"type": 3, "timestamp": "x"}', b'{"data": {}}', b"[" * 50_000])
def test_a_genuine_body_that_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidWebhookError, match="msg-1"):
        verify_webhook(signed(body), body, SECRET)


def test_no_secret_is_a_mistake_of_the_shop() -> None:
    with pytest.raises(ValueError, match="at least one secret"):
        verify_webhook({}, b"{}", [])
