"""How an order stands, in plain words, from any mix of facts."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from notifications.account.models import EmailRecord, OrderStatus
from notifications.account.rules.timeline import code_came_back, is_in_progress, masked, status, timeline, usage
from notifications.emails.rules.texts import LocaleFormat, texts
from notifications.tables import orders
from shared.contracts import Language
from shared.testing.documents import Json, JsonObject

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PAID = {"kind": "esim", "paid": {"amount": 1500, "currency": "USD"}, "plan": {"title": "Turkey 5 GB"}}
WORDS = LocaleFormat("en", ZoneInfo("Asia/Tbilisi"))


def _order(**known: object) -> JsonObject:
    return {**{column.name: None for column in orders.c}, "paid": PAID, "paid_at": NOW, **known}


def _mail(kind: str, state: str = "sent", minutes: int = 1, **facts: object) -> EmailRecord:
    at = NOW + timedelta(minutes=minutes)
    return EmailRecord(kind, state, facts, at, at, at if state == "bounced" else None, 550, "5.1.1")


@pytest.mark.parametrize(
    ("known", "mails", "wanted", "moving"),
    [
        ({}, [], "working", True),
        ({"paid": {**PAID, "kind": "top_up"}}, [], "topping_up", True),
        ({}, [_mail("delay")], "late", True),
        ({}, [_mail("delay", "dropped")], "working", True),
        ({"generated_at": NOW}, [_mail("qr", "due")], "ready", True),
        ({"generated_at": NOW}, [_mail("qr"), _mail("delay")], "ready", False),
        ({"generated_at": NOW, "activated_at": NOW}, [], "installed", False),
        ({"failed_at": NOW}, [], "failed", True),
        ({"failed_at": NOW}, [_mail("refund", charge_id=None)], "refunding", True),
        ({"failed_at": NOW, "refunded_at": NOW}, [_mail("refund")], "refunded", False),
        ({"generated_at": NOW}, [_mail("refund", charge_id="x")], "ready", False),
        ({"failed_at": NOW}, [_mail("refund"), _mail("refused", refund_id="r")], "refund_refused", True),
        (
            {"failed_at": NOW},
            [_mail("refund"), _mail("retried", refund_id="r", attempt=2), _mail("refused", refund_id="r", attempt=1)],
            "refunding",
            True,
        ),
        (
            {"failed_at": NOW},
            [
                _mail("refused", refund_id="r", attempt=2),
                _mail("retried", refund_id="r", attempt=2),
                _mail("refused", refund_id="r", attempt=1),
                _mail("refund"),
            ],
            "refund_refused",
            True,
        ),
        ({"generated_at": NOW}, [_mail("refused", refund_id="r", charge_id="x")], "ready", False),
        ({"refunded_at": NOW}, [_mail("refund"), _mail("settled", way="cash")], "refunded_by_hand", False),
        ({"generated_at": NOW, "revoked_at": NOW}, [], "revoked", False),
        ({"generated_at": NOW, "installed_at": NOW, "expired_at": NOW}, [], "expired", False),
        ({"topped_up_at": NOW}, [], "topped_up", False),
    ],
)
def test_standings(known: JsonObject, mails: list[EmailRecord], wanted: OrderStatus, moving: bool) -> None:
    assert status(_order(**known), mails) == wanted
    assert is_in_progress(_order(**known), mails) is moving


@pytest.mark.parametrize("language", get_args(Language))
def test_every_standing_has_its_words(language: Language) -> None:
    known = texts(language)["account"]
    assert {name for one in get_args(OrderStatus) for name in (one, f"{one}_text")} <= set(known)


def test_the_last_mail_with_a_code_decides_whether_it_came_back() -> None:
    assert not code_came_back([])
    assert code_came_back([_mail("qr", "bounced")])
    assert code_came_back([_mail("qr"), _mail("resend", "refused", 2)])
    assert not code_came_back([_mail("qr", "bounced"), _mail("resend", "sent", 2)])
    assert not code_came_back([_mail("qr", "bounced"), _mail("resend", "due", 2)])
    assert not code_came_back([_mail("receipt", "bounced")])


def test_the_timeline_is_in_order_whatever_the_order_of_the_facts() -> None:
    order = _order(
        generated_at=NOW + timedelta(seconds=5),
        receipt={"ticket_url": "https://ofd.example/1", "issued_at": (NOW + timedelta(seconds=3)).isoformat()},
    )
    mails = [
        _mail("qr", "bounced", 1),
        _mail("information", minutes=3, asked_at=(NOW + timedelta(minutes=3)).isoformat()),
        _mail("denied", minutes=4, denied_at=(NOW + timedelta(minutes=4)).isoformat()),
    ]
    lines = timeline(order, mails, WORDS)
    assert [line.text for line in lines] == [
        "Paid: 15.00\u00a0USD for Turkey 5 GB",
        "The fiscal receipt was issued",
        "Your eSIM was made",
        "The code was mailed to you",
        "Your mailbox did not take the mail with the code (550 5.1.1)",
        "Your refund request needs something more; we wrote to you",
        "Your refund request was declined; we wrote to you why",
    ]
    assert lines[1].link == "https://ofd.example/1"
    for mixed in permutations(mails):
        assert timeline(order, mixed, WORDS) == lines


def test_the_timeline_says_what_became_of_a_refused_refund() -> None:
    def fact(kind: str, minutes: int, field: str, **facts: Json) -> EmailRecord:
        at = (NOW + timedelta(minutes=minutes)).isoformat()
        return _mail(kind, minutes=minutes, **{field: at}, amount={"amount": 1500, "currency": "USD"}, **facts)

    mails = [
        fact("refused", 1, "failed_at"),
        fact("retried", 2, "retried_at"),
        fact("paid_by_hand", 3, "paid_at"),
        fact("settled", 4, "settled_at", way="cash"),
    ]
    assert [line.text.replace("\u00a0", " ") for line in timeline(_order(paid=None), mails, WORDS)] == [
        "The bank refused the refund of 15.00 USD; we keep at it",
        "The bank was asked again to return 15.00 USD",
        "15.00 USD of your refund was paid another way",
        "Your refund of 15.00 USD is paid in full",
    ]


def test_a_receipt_that_is_no_page_is_not_linked() -> None:
    receipt = {"ticket_url": "javascript:alert(1)", "issued_at": NOW.isoformat()}
    assert all(line.link is None for line in timeline(_order(receipt=receipt), [], WORDS))


def test_usage_is_said_only_where_it_is_known() -> None:
    assert usage(_order(), WORDS) is None
    assert usage(_order(used_bytes=0, total_bytes=2**30, usage_at=NOW), WORDS) == {
        "used": "0\u00a0MB",
        "total": "1\u00a0GB",
        "percent": 0,
        "as_of": "20\u00a0November 2026, 16:00",
    }
    more = usage(_order(used_bytes=2**31, total_bytes=2**30), WORDS)
    assert more
    assert (more["percent"], more["as_of"]) == (100, None)
    alone = usage(_order(used_bytes=2**20), WORDS)
    assert alone
    assert (alone["total"], alone["percent"]) == (None, None)


@pytest.mark.parametrize("email", ["ann@example.org", "a@b.example", '"odd one"@example.org', "и@пример.рф"])
def test_an_address_is_veiled(email: str) -> None:
    local, _, domain = email.rpartition("@")
    assert masked(email) == f"{local[0]}•••@{domain}"
