"""Pure rules and wire formats of payments."""

import json
from contextlib import suppress
from datetime import timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.attempts.rules.failure_reasons import REASONS, advice, reason, sentences, texts
from payments.attempts.rules.verdict import Verdict, judge
from payments.clients.epay.payment_object import DESCRIPTION_BYTES, description, payment_object
from payments.clients.epay.status import read_status
from payments.clients.epay.webhook import UnreadableNoticeError, read_notice
from payments.clients.models import Expected, Payer, Purchase, StatusAnswer
from payments.polling import PollingSchedule
from payments.refunds.rules.evidence import Evidence, evidence
from shared.contracts import Language
from shared.testing.documents import Json, JsonObject
from shared.testing.languages import NAMES, foreign_words
from shared.values.money import to_major, to_minor, to_text

TERMINAL = "67e34d63-102f-4bd1-898e-370781d0074d"
EXPECTED = Expected(invoice_id=123456789, amount=599050, currency="KZT", terminal=TERMINAL, order_number="10000017")


def body(result: object = "100", status: str | None = "CHARGE", **changes: object) -> JsonObject:
    transaction = {
        "id": "b1f3",
        "invoiceID": "123456789",
        "amount": 5990.5,
        "currency": "KZT",
        "terminal": TERMINAL,
        "statusName": status,
        "reasonCode": "0",
    }
    return {"resultCode": result, "resultMessage": "", "transaction": transaction | changes}


@pytest.mark.parametrize(
    ("result", "status", "verdict"),
    [
        ("100", "CHARGE", Verdict.CAPTURED),
        (100, "charge", Verdict.CAPTURED),
        ("100", "AUTH", Verdict.HELD),
        ("100", "NEW", Verdict.PENDING),
        ("100", "3D", Verdict.PENDING),
        ("100", "FINGERPRINT", Verdict.PENDING),
        ("100", "CANCEL", Verdict.FAILED),
        ("100", "CANCEL_OLD", Verdict.FAILED),
        ("100", "FAILED", Verdict.FAILED),
        ("100", "REJECT", Verdict.FAILED),
        ("100", "REFUND", Verdict.RETURNED),
        ("100", "VERIFIED", Verdict.UNCLEAR),
        ("100", "SOMETHING_NEW", Verdict.UNCLEAR),
        ("100", None, Verdict.UNCLEAR),
        ("101", "FAILED", Verdict.FAILED),
        ("101", None, Verdict.FAILED),
        ("101", "NEW", Verdict.PENDING),
        ("101", "CHARGE", Verdict.UNCLEAR),
        ("102", None, Verdict.NOT_FOUND),
        ("103", None, Verdict.REFUSED),
        ("104", None, Verdict.REFUSED),
        ("106", None, Verdict.REFUSED),
        ("107", "NEW", Verdict.PENDING),
        ("109", None, Verdict.REFUSED),
        ("999", "CHARGE", Verdict.UNCLEAR),
    ],
)
def test_every_result_and_status_has_one_meaning(result: object, status: str | None, verdict: Verdict) -> None:
    assert judge(read_status(body(result, status)), EXPECTED)[0] is verdict


def test_a_failure_that_is_not_final_is_asked_again() -> None:
    assert judge(read_status(body("100", "FAILED", reasonCode="454")), EXPECTED)[0] is Verdict.PENDING
    assert judge(read_status(body("101", None, reasonCode=454)), EXPECTED)[0] is Verdict.PENDING


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("amount", {"amount": 5990.51}),
        ("amount", {"amount": 5990.505}),
        ("amount", {"amount": None}),
        ("amount", {"amount": True}),
        ("currency", {"currency": "USD"}),
        ("currency", {"currency": None}),
        ("terminal", {"terminal": "98120001"}),
        ("invoiceID", {"invoiceID": "123456780"}),
        ("id", {"id": None}),
        ("data", {"data": '{"order": "10000018"}'}),
        ("data", {"data": '{"order": ""}'}),
    ],
)
@pytest.mark.parametrize("status", ["CHARGE", "AUTH"])
def test_money_of_another_payment_is_a_mismatch(field: str, changes: JsonObject, status: str) -> None:
    assert judge(read_status(body("100", status, **changes)), EXPECTED) == (Verdict.MISMATCH, (field,))


@pytest.mark.parametrize("data", ['{"order": "10000017"}', "", None, "order 10000018", "[]", '{"order": 10000018}', {}])
def test_the_order_is_compared_where_the_bank_repeats_it_as_we_wrote_it(data: object) -> None:
    assert judge(read_status(body(data=data)), EXPECTED) == (Verdict.CAPTURED, ())


def test_the_terminal_may_be_the_uuid_or_a_number_beside_it() -> None:
    named = body(terminal="98120001", terminalID=TERMINAL.upper())
    assert judge(read_status(named), EXPECTED) == (Verdict.CAPTURED, ())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
FIELDS = ["id", "invoiceID", "amount", "currency", "terminal", "terminalID", "statusName", "reasonCode"]


@given(
    result=JSON,
    transaction=JSON | st.dictionaries(st.sampled_from(FIELDS), JSON | st.sampled_from(["CHARGE", "AUTH", "KZT"])),
)
def test_any_answer_can_be_judged_and_only_the_right_one_is_a_capture(result: object, transaction: Json) -> None:
    verdict, _ = judge(read_status({"resultCode": result, "transaction": transaction}), EXPECTED)
    if verdict in (Verdict.CAPTURED, Verdict.HELD):
        assert transaction["currency"] == "KZT"
        assert to_minor(transaction["amount"]) == EXPECTED.amount


@given(st.integers(min_value=0, max_value=10**14))
def test_amounts_are_exact_on_the_wire(minor: int) -> None:
    assert to_minor(to_text(minor)) == minor
    assert to_minor(json.loads(json.dumps(to_major(minor)))) == minor


@pytest.mark.parametrize("value", [None, True, "", "abc", "NaN", "Infinity", -1, "1.005", float("nan"), 10**20, [], {}])
def test_an_unreadable_amount_is_none(value: object) -> None:
    assert to_minor(value) is None


def test_reason_codes_become_sentences() -> None:
    assert sentences(484) == {
        "en": "There is not enough money on the card.",
        "ru": "На карте недостаточно денег.",
        "kk": "Картада ақша жеткіліксіз.",
        "ka": "ბარათზე თანხა საკმარისი არ არის.",
    }
    assert reason(499) == reason(473)
    assert reason(525) == reason(529) != reason(530)
    assert "cancelled" in reason(0, "CANCEL").sentence("en")
    assert reason(12345) == reason(0)
    assert advice(12345).endswith("(Epay reasonCode 12345)")


#: Every code that docs/wire/epay.md names.
CODES = (
    *(0, 454, 455, 456, 461, 457, 478, 485, 465, 467, 479, 489, 471, 472, 473, 499, 476, 484, 488, 491, 493, 494),
    *range(521, 530),
)


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_sentences_for_buyers_and_agents(code: int) -> None:
    found = reason(code)
    assert found.advice
    assert code == 0 or found is not reason(12345)


@pytest.mark.parametrize("language", get_args(Language))
def test_every_reason_of_failure_is_written_in_every_language_and_in_that_alone(language: Language) -> None:
    written = texts(language)
    assert set(written) == {why.name for why in REASONS}
    for name, sentence in written.items():
        assert sentence.endswith("."), name
        assert foreign_words(sentence, language, NAMES | {"D", "Secure"}) == [], name
        assert language == "en" or sentence != texts("en")[name]


PURCHASE = Purchase(123456789, "10000001", "b-1", "Turkey 5 GB", 599050, "KZT")
PAYER = Payer("Aigerim", "a@example.kz", "+7701", "kk")


def test_the_payment_object_has_the_fields_of_the_payment_page() -> None:
    made = payment_object(
        PURCHASE, PAYER, auth={"access_token": "t"}, terminal=TERMINAL, post_link="https://p/epay/webhook"
    )
    assert made == {
        "invoiceId": "123456789",
        "backLink": "",
        "failureBackLink": "",
        "postLink": "https://p/epay/webhook",
        "failurePostLink": "https://p/epay/webhook",
        "language": "kaz",
        "description": "Turkey 5 GB, order 10000001",
        "accountId": "b-1",
        "terminal": TERMINAL,
        "amount": 5990.5,
        "currency": "KZT",
        "name": "Aigerim",
        "phone": "+7701",
        "email": "a@example.kz",
        "data": '{"order": "10000001"}',
        "auth": {"access_token": "t"},
    }
    assert "Aigerim" not in repr(PAYER)


@given(st.text(max_size=300), st.from_regex(r"[0-9]{6,15}", fullmatch=True))
def test_a_description_fits_and_contains_the_order_number(title: str, number: str) -> None:
    made = description(title, number)
    assert len(made.encode()) <= DESCRIPTION_BYTES
    assert made.endswith(number)


def status(name: str, amount: int | None = 1000) -> StatusAnswer:
    return StatusAnswer(result="100", status=name, transaction_id="t", amount=amount)


@pytest.mark.parametrize(
    ("answer", "amount", "captured", "owed", "expected"),
    [
        # full refunds: a repeat is refused by the bank if the first was made
        (status("REFUND"), 1000, 1000, 1000, Evidence.DONE),
        (status("REFUND", 0), 1000, 1000, 1000, Evidence.DONE),
        (status("REFUND", None), 1000, 1000, 1000, Evidence.DONE),
        (status("CHARGE"), 1000, 1000, 1000, Evidence.REPEATABLE),
        # partial refunds: CHARGE with the original amount proves nothing
        (status("CHARGE"), 300, 1000, 1000, Evidence.UNCLEAR),
        (status("CHARGE", None), 300, 1000, 1000, Evidence.UNCLEAR),
        (status("CHARGE", 700), 300, 1000, 1000, Evidence.DONE),
        (status("CHARGE", 600), 300, 1000, 1000, Evidence.UNCLEAR),
        (status("REFUND"), 300, 1000, 1000, Evidence.DONE),
        (status("REFUND", 0), 300, 1000, 1000, Evidence.UNCLEAR),
        # after an earlier refund of 200
        (status("CHARGE", 800), 300, 1000, 800, Evidence.NOT_DONE),
        (status("CHARGE", 500), 300, 1000, 800, Evidence.DONE),
        (status("CHARGE"), 300, 1000, 800, Evidence.UNCLEAR),
        (status("CHARGE"), 800, 1000, 800, Evidence.REPEATABLE),
        (status("REFUND"), 300, 1000, 800, Evidence.UNCLEAR),
        (status("REFUND", 0), 800, 1000, 800, Evidence.DONE),
        (status("CANCEL"), 1000, 1000, 1000, Evidence.UNCLEAR),
        (status("AUTH"), 1000, 1000, 1000, Evidence.UNCLEAR),
    ],
)
def test_evidence_of_a_refund_by_status_and_amount(
    answer: StatusAnswer, amount: int, captured: int, owed: int, expected: Evidence
) -> None:
    assert evidence(answer, amount=amount, captured=captured, owed=owed) is expected


@given(
    made=st.booleans(),
    captured=st.integers(min_value=1, max_value=50),
    before=st.integers(min_value=0, max_value=49),
    amount=st.integers(min_value=1, max_value=50),
    partial_is_refund=st.booleans(),
    shows_rest=st.booleans(),
)
def test_evidence_is_right_for_every_behaviour_of_the_bank(
    *, made: bool, captured: int, before: int, amount: int, partial_is_refund: bool, shows_rest: bool
) -> None:
    if before + amount > captured:
        return
    gone = before + (amount if made else 0)
    name = "REFUND" if gone == captured or (gone and partial_is_refund) else "CHARGE"
    shown = captured - gone if shows_rest else captured
    found = evidence(status(name, shown), amount=amount, captured=captured, owed=captured - before)
    if made:
        assert found in (Evidence.DONE, Evidence.UNCLEAR, Evidence.REPEATABLE)
        assert found is not Evidence.REPEATABLE or amount == captured - before
    else:
        assert found is not Evidence.DONE


def test_polling_pauses_grow_up_to_a_limit_and_end() -> None:
    patience = PollingSchedule(timedelta(seconds=20), timedelta(hours=1), timedelta(hours=24))
    age, asked = timedelta(seconds=20), 0
    pauses = []
    while (pause := patience.pause(age)) is not None:
        pauses.append(pause)
        age += pause
        asked += 1
    assert pauses[0] == timedelta(seconds=20)
    assert pauses[:-1] == sorted(pauses[:-1])
    assert max(pauses) == timedelta(hours=1)
    assert age >= timedelta(hours=24)
    assert asked < 50


def test_a_notice_is_read_tolerantly() -> None:
    notice = read_notice({"invoiceId": 123456789, "id": "b1-f3", "code": "OK", "reasonCode": "0", "secret_hash": "s3"})
    assert (notice.invoice_id, notice.transaction_id, notice.code, notice.reason_code) == (123456789, "b1-f3", "ok", 0)
    assert "s3" not in repr(notice)
    assert read_notice({"invoiceID": "123456", "secret_hash": ""}).transaction_id == ""


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("invoiceId", None),
        ("invoiceId", "12345"),
        ("invoiceId", "1" * 16),
        ("invoiceId", "١٢٣٤٥٦"),
        ("invoiceId", 1e9),
        ("id", "a\x00b"),
        ("id", "x" * 65),
        ("code", "o\x00k"),
        ("code", "x" * 21),
        ("secret_hash", None),
        ("secret_hash", 5),
        ("secret_hash", "é"),
    ],
)
def test_a_notice_without_an_attempt_is_refused(field: str, value: object) -> None:
    good: JsonObject = {"invoiceId": "123456789", "id": "b1", "code": "ok", "secret_hash": "s"}
    with pytest.raises(UnreadableNoticeError) as refused:
        read_notice(good | {field: value})
    assert refused.value.field == field


@given(st.dictionaries(st.sampled_from(["invoiceId", "id", "code", "reasonCode", "secret_hash"]), JSON))
def test_any_notice_is_read_or_refused(value: JsonObject) -> None:
    with suppress(UnreadableNoticeError):
        assert isinstance(read_notice(value).invoice_id, int)
