from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest

from shared.testing.documents import JsonObject
from tour.emails import Email
from tour.ledgers import (
    Books,
    Entry,
    all_returned,
    no_profile,
    nothing_returned,
    one_capture_each,
    one_mail_each,
    one_profile_each,
)
from tour.orders import Paid

Sell = Callable[[int], Paid]


@pytest.fixture
def paid(sell: Sell) -> list[Paid]:
    return [sell(1), sell(2)]


def transaction(one: Paid, **changed: object) -> JsonObject:
    plain = {"id": f"t{one.invoice_id}", "invoiceID": one.invoice_id, "captured": 750, "currency": "USD"}
    return plain | {"refunded": 0, "refunds": []} | changed


def profile(one: Paid, **changed: object) -> JsonObject:
    number = one.order.number
    return {"iccid": f"89{number}", "matchingId": f"KEY{number}", "state": "released"} | changed


def mail(one: Paid, identity: int, **changed: object) -> JsonObject:
    return {"id": identity, "message_id": f"<{one.order.number}>", "to": [one.order.buyer.email]} | changed


def email(one: Paid, code: str | None = None) -> Email:
    text = code or f"LPA:1$smdp.example$KEY{one.order.number}"
    return Email(1, "<m>", one.order.buyer.email, "Ready", datetime(2026, 1, 1, tzinfo=UTC), "", "", b"", text)


def books(
    *,
    bank: Sequence[Entry] = (),
    operator: Sequence[Entry] = (),
    mails: Sequence[Entry] = (),
) -> Books:
    return Books(bank, operator, mails)


def test_ledgers_that_agree_give_no_findings(paid: list[Paid]) -> None:
    agreed = books(
        bank=[transaction(one) for one in paid],
        operator=[profile(one) for one in paid],
        mails=[mail(one, number) for number, one in enumerate(paid)],
    )
    emails = [email(one) for one in paid]
    assert one_capture_each(agreed, paid) == nothing_returned(agreed) == one_mail_each(agreed, paid) == []
    assert one_profile_each(agreed, paid, emails) == []
    assert (agreed.captures, agreed.confirmed, agreed.different_mails, agreed.repeated_mails) == (2, 2, 2, 0)


def test_a_second_capture_and_a_missing_one_are_found(paid: list[Paid]) -> None:
    twice = books(bank=[transaction(paid[0]), transaction(paid[0], id="again")])
    assert one_capture_each(twice, paid) == [
        "order 1 was captured at the bank 2 times",
        "order 2 was captured at the bank 0 times",
    ]


@pytest.mark.parametrize("changed", [{"captured": 749}, {"currency": "KZT"}])
def test_another_amount_or_currency_is_found(paid: list[Paid], changed: JsonObject) -> None:
    found = one_capture_each(books(bank=[transaction(paid[0], **changed)]), paid[:1])
    assert found == ["order 1 costs 7.50 USD, the bank took another amount"]


def test_a_failed_attempt_is_no_capture(paid: list[Paid]) -> None:
    assert one_capture_each(books(bank=[transaction(paid[0], captured=0)]), paid[:1]) != []


def test_a_payment_of_nobody_is_found(paid: list[Paid]) -> None:
    stranger = transaction(paid[1])
    assert "nobody's order" in one_capture_each(books(bank=[transaction(paid[0]), stranger]), paid[:1])[0]


def test_a_refund_is_whole_and_one(paid: list[Paid]) -> None:
    whole = {"refunded": 750, "refunds": [{"amount": 750}]}
    assert all_returned(books(bank=[transaction(paid[0], **whole)]), paid[:1]) == []
    assert nothing_returned(books(bank=[transaction(paid[0], **whole)])) != []
    for wrong in ({}, {"refunded": 700, "refunds": [{}]}, {"refunded": 750, "refunds": [{}, {}]}):
        assert len(all_returned(books(bank=[transaction(paid[0], **wrong)]), paid[:1])) == 1
    assert len(all_returned(books(), paid[:1])) == 1


def test_a_code_that_leads_nowhere_is_found(paid: list[Paid]) -> None:
    for code in ("LPA:1$smdp.example$OTHER", "https://example.org", "LPA:1"):
        found = one_profile_each(books(operator=[profile(paid[0])]), paid[:1], [email(paid[0], code)])
        assert "leads to no profile" in found[0]


def test_a_profile_that_nobody_got_is_found(paid: list[Paid]) -> None:
    extra = books(operator=[profile(paid[0]), profile(paid[1]), profile(paid[1], iccid="893", state="reserved")])
    assert one_profile_each(extra, paid[:1], [email(paid[0])]) == [
        "the operator confirmed profile 892 for nobody",
        "profile 893 stays reserved at the operator for nobody",
    ]


def test_one_profile_for_two_orders_is_found(paid: list[Paid]) -> None:
    same = [email(paid[0]), email(paid[1], "LPA:1$smdp.example$KEY1")]
    assert "two orders got the same profile" in one_profile_each(books(operator=[profile(paid[0])]), paid, same)


def test_a_repeated_mail_is_counted_apart_and_its_code_once(paid: list[Paid]) -> None:
    twice = books(operator=[profile(paid[0])], mails=[mail(paid[0], 1), mail(paid[0], 2)])
    assert one_mail_each(twice, paid[:1]) == []
    assert one_profile_each(twice, paid[:1], [email(paid[0])] * 2) == []
    assert (twice.different_mails, twice.repeated_mails) == (1, 1)


def test_two_different_mails_none_and_a_stranger_are_found(paid: list[Paid]) -> None:
    mails = [mail(paid[0], 1), mail(paid[0], 2, message_id="<other>"), mail(paid[1], 3, to=["x@example.org"])]
    assert one_mail_each(books(mails=mails), paid) == [
        "a mail went to somebody who ordered nothing",
        "order 1 has a mail 2 times",
        "order 2 has a mail 0 times",
    ]


def test_no_profile_may_be_left_that_a_phone_could_take(paid: list[Paid]) -> None:
    assert no_profile(books(operator=[profile(paid[0], state="cancelled")])) == []
    assert no_profile(books(operator=[profile(paid[0], state="confirmed")])) == ["the operator has profile 891"]


def test_only_what_is_new_is_judged(paid: list[Paid]) -> None:
    old = books(bank=[transaction(paid[0])], operator=[profile(paid[0])], mails=[mail(paid[0], 1)])
    new = books(
        bank=[*old.transactions, transaction(paid[1])],
        operator=[*old.profiles, profile(paid[1])],
        mails=[*old.mails, mail(paid[1], 2)],
    ).since(old)
    assert (len(new.transactions), len(new.profiles), len(new.mails)) == (1, 1, 1)
    assert one_capture_each(new, paid[1:]) == []
