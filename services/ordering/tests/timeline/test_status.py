"""Status and timeline are derived from facts in any sequence."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordering.timeline.models import Fact, FactDetail, RecordedFact, Status
from ordering.timeline.rules.sentences import in_order, sentence, texts
from ordering.timeline.rules.status import facts_in_force, status
from shared.contracts import Language
from shared.testing.languages import NAMES, foreign_words

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def recorded(fact: Fact) -> RecordedFact:
    return RecordedFact(fact, NOON + timedelta(minutes=len(fact)))


@given(st.sets(st.sampled_from(Fact)), st.data())
def test_order_and_repetition_of_facts_do_not_matter(facts: set[Fact], data: st.DataObject) -> None:
    repeated = data.draw(st.lists(st.sampled_from(sorted(facts)))) if facts else []
    received = [recorded(fact) for fact in data.draw(st.permutations([*facts, *repeated]))]
    kept = {(stored.fact, stored.ref): stored for stored in received}
    assert status([stored.fact for stored in received]) == status(facts)
    assert in_order(kept.values()) == in_order(recorded(fact) for fact in facts)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ([], Status.PLACED),
        ([Fact.PAYMENT_FAILED], Status.PAYMENT_FAILED),
        ([Fact.PAYMENT_FAILED, Fact.ORDER_PAID], Status.PAID),
        ([Fact.PAYMENT_FAILED, Fact.PAYMENT_LAPSED], Status.LAPSED),
        ([Fact.PAYMENT_LAPSED, Fact.ORDER_PAID], Status.PAID),
        ([Fact.QR_DELIVERED, Fact.DUPLICATE_CHARGED, Fact.SURPLUS_REQUESTED], Status.DELIVERED),
        ([Fact.QR_DELIVERED, Fact.REFUND_PART_APPROVED, Fact.REFUND_PART_SETTLED], Status.DELIVERED),
        ([Fact.QR_DELIVERED, Fact.SURPLUS_APPROVED, Fact.SURPLUS_SETTLED, Fact.RECEIPT_ISSUED], Status.DELIVERED),
        ([Fact.PROFILE_GENERATED], Status.PROFILE_READY),
        ([Fact.ORDER_PAID, Fact.PROFILE_FAILED], Status.PROVISIONING_FAILED),
        ([Fact.PROFILE_GENERATED, Fact.DELIVERY_FAILED], Status.DELIVERY_FAILED),
        ([Fact.DELIVERY_FAILED, Fact.QR_DELIVERED], Status.DELIVERED),
        ([Fact.QR_DELIVERED, Fact.REFUND_REQUESTED], Status.REFUND_REQUESTED),
        ([Fact.QR_DELIVERED, Fact.REFUND_REQUESTED, Fact.REFUND_DENIED], Status.DELIVERED),
        ([Fact.REFUND_REQUESTED, Fact.REFUND_DENIED, Fact.APPEAL_RECEIVED], Status.REFUND_REQUESTED),
        ([Fact.QR_DELIVERED, Fact.INFORMATION_NEEDED, Fact.REFUND_REQUESTED], Status.REFUND_REQUESTED),
        ([Fact.PROFILE_FAILED, Fact.REFUND_REQUESTED, Fact.REFUND_APPROVED], Status.REFUND_APPROVED),
        ([Fact.REFUND_APPROVED, Fact.REFUND_FAILED], Status.REFUND_FAILED),
        ([Fact.REFUND_FAILED, Fact.REFUND_SETTLED], Status.REFUNDED),
        ([Fact.REFUND_APPROVED, Fact.REFUND_RETRIED], Status.REFUND_APPROVED),
        ([Fact.REFUND_FAILED, Fact.REFUND_PAID_BY_HAND], Status.REFUND_FAILED),
        ([Fact.ORDER_PAID, Fact.TOP_UP_APPLIED], Status.TOPPED_UP),
        ([Fact.ORDER_PAID, Fact.TOP_UP_FAILED], Status.PROVISIONING_FAILED),
        ([Fact.TOP_UP_APPLIED, Fact.REFUND_REQUESTED], Status.REFUND_REQUESTED),
        ([Fact.QR_DELIVERED, Fact.PROFILE_INSTALLED, Fact.PROFILE_ACTIVATED], Status.DELIVERED),
        ([Fact.QR_DELIVERED, Fact.PROFILE_EXPIRED], Status.EXPIRED),
        ([Fact.PROFILE_EXPIRED, Fact.PROFILE_REVOKED], Status.REVOKED),
        ([Fact.PROFILE_REVOKED, Fact.REFUND_APPROVED], Status.REFUND_APPROVED),
    ],
)
def test_status(facts: list[Fact], expected: Status) -> None:
    assert status(facts) == expected


def test_a_denied_request_does_not_count_until_it_is_appealed() -> None:
    def at(minutes: int) -> datetime:
        return NOON + timedelta(minutes=minutes)

    received = [
        (Fact.QR_DELIVERED, "email", at(0)),
        (Fact.REFUND_REQUESTED, "one", at(1)),
        (Fact.REFUND_DENIED, "one/1", at(2)),
    ]
    assert status(facts_in_force(received)) is Status.DELIVERED
    assert status(facts_in_force([*received, (Fact.REFUND_REQUESTED, "two", at(1))])) is Status.REFUND_REQUESTED
    appealed = [*received, (Fact.APPEAL_RECEIVED, "one/2", at(3))]
    assert status(facts_in_force(appealed)) is Status.REFUND_REQUESTED
    assert status(facts_in_force([*appealed, (Fact.REFUND_DENIED, "one/3", at(4))])) is Status.DELIVERED


def test_a_refused_refund_is_in_progress_again_during_a_later_attempt() -> None:
    """Whatever the order and the clocks: attempts are counted."""
    approved, failed, retried = Fact.REFUND_APPROVED, Fact.REFUND_FAILED, Fact.REFUND_RETRIED
    for received, expected in (
        ([(failed, "r")], Status.REFUND_FAILED),
        ([(failed, "r"), (retried, "r/2")], Status.REFUND_APPROVED),
        ([(failed, "r/2"), (retried, "r/2")], Status.REFUND_FAILED),
        ([(failed, "r"), (failed, "r/2"), (retried, "r/2"), (retried, "r/3")], Status.REFUND_APPROVED),
        ([(failed, "r"), (retried, "r/2"), (failed, "other")], Status.REFUND_FAILED),
    ):
        for mixed in permutations([*received, (approved, "r")]):
            assert status(facts_in_force((fact, ref, NOON) for fact, ref in mixed)) is expected, received


def test_the_refund_of_a_part_leaves_the_order_where_it_stands() -> None:
    """In whatever sequence: its request is answered, and a refusal by the bank counts until it is settled."""
    part = [
        (Fact.QR_DELIVERED, "email"),
        (Fact.REFUND_REQUESTED, "case"),
        (Fact.REFUND_PART_APPROVED, "r/case"),
    ]
    settled = (Fact.REFUND_PART_SETTLED, "r")
    for received, expected in (
        (part, Status.DELIVERED),
        ([*part, settled], Status.DELIVERED),
        ([*part, (Fact.REFUND_FAILED, "r")], Status.REFUND_FAILED),
        ([*part, (Fact.REFUND_FAILED, "r"), (Fact.REFUND_RETRIED, "r/2"), settled], Status.DELIVERED),
        ([*part, settled, (Fact.REFUND_FAILED, "other")], Status.REFUND_FAILED),
        ([*part, settled, (Fact.REFUND_REQUESTED, "other")], Status.REFUND_REQUESTED),
        ([*part, settled, (Fact.REFUND_APPROVED, "rest")], Status.REFUND_APPROVED),
    ):
        for mixed in permutations(received):
            assert status(facts_in_force((fact, ref, NOON) for fact, ref in mixed)) is expected, received


REFUND: FactDetail = {
    "amount": 1234500,
    "currency": "KZT",
    "clauses": ["RP 2.1", "RP 2.2"],
    "credited_by": "2026-06-09",
}

RECEIPT: FactDetail = {"kind": "sale_return", "link": "https://ofd.example/t/1"}


@pytest.mark.parametrize(
    ("fact", "detail", "en", "ru"),
    [
        (Fact.PAYMENT_FAILED, {"reason_code": 484}, "through: insufficient funds.", "прошёл: недостаточно средств. "),
        (Fact.PAYMENT_FAILED, {"reason_code": 1}, "did not go through. The order", "не прошёл. Заказ"),
        (Fact.QR_DELIVERED, {"channel": "email"}, "delivered by e-mail.", "по электронной почте."),
        (Fact.TOP_UP_APPLIED, {"total_bytes": 7 * 2**30}, "up; 7\u00a0168 MB in total.", "eSIM; всего 7\u00a0168 МБ."),
        (Fact.TOP_UP_APPLIED, {}, "was topped up.", "добавлен на eSIM."),
        (Fact.PROFILE_EXPIRED, {"reason": "never_activated"}, "not activated in time (RC 7).", "вовремя (RC 7)."),
        (Fact.PROFILE_EXPIRED, {"reason": "plan_ended"}, "validity is over.", "срок пакета закончился."),
        (Fact.REFUND_APPROVED, REFUND, "12\u00a0345.00 KZT was approved (RP 2.1, RP", "одобрен (RP 2.1, RP 2.2)."),
        (Fact.REFUND_SETTLED, REFUND, "usually arrives by 9 June 2026.", "приходят до 09.06.2026."),
        (Fact.REFUND_SETTLED, REFUND | {"way": "cash"}, "paid in full, another way;", "выплачен полностью, другим"),
        (Fact.REFUND_PAID_BY_HAND, REFUND | {"way": "cash"}, "another way: cash.", "другим способом: наличные."),
        (Fact.REFUND_PAID_BY_HAND, REFUND | {"way": "camel"}, "another way.", "другим способом."),
        (Fact.REFUND_RETRIED, REFUND, "asked again to return 12\u00a0345.00 KZT.", "снова попросили вернуть 12"),
        (Fact.DUPLICATE_CHARGED, REFUND, "took 12\u00a0345.00 KZT a second time.", "12\u00a0345.00 KZT второй раз."),
        (Fact.RECEIPT_ISSUED, RECEIPT, "receipt of the refund: https://ofd.example/t/1.", "чек о возврате: https://ofd"),
        (Fact.REFUND_DENIED, REFUND, "denied (RP 2.1, RP 2.2). An appeal", "отказано (RP 2.1, RP 2.2). Решение"),
        (Fact.INFORMATION_NEEDED, {"missing": ["evidence"]}, "screenshots or the text", "снимки экрана или текст"),
        (Fact.REFUND_FAILED, REFUND, "12\u00a0345.00 KZT. Our staff", "12\u00a0345.00 KZT. Этим"),
    ],
)  # fmt: skip
def test_sentences(fact: Fact, detail: FactDetail, en: str, ru: str) -> None:
    assert en in sentence(RecordedFact(fact, NOON, detail=detail), "en")
    assert ru in sentence(RecordedFact(fact, NOON, detail=detail), "ru")


@pytest.mark.parametrize("fact", list(Fact))
def test_every_fact_has_a_complete_sentence(fact: Fact) -> None:
    money = ("refund", "surplus", "duplicate")
    detail: FactDetail = RECEIPT if "receipt" in fact else REFUND if any(word in fact for word in money) else {}
    for language in get_args(Language):
        words = sentence(RecordedFact(fact, NOON, detail=detail), language)
        assert words.endswith(".")
        assert "{" not in words
        assert "  " not in words
        assert foreign_words(texts(language)["facts"][fact], language) == []


@pytest.mark.parametrize("language", get_args(Language))
def test_every_language_has_the_same_parts_with_the_same_places(language: Language) -> None:
    def places(own: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, set[str]]]:
        return {
            section: {name: set(re.findall(r"\{\w+\}", text)) for name, text in entries.items()}
            for section, entries in own.items()
            if section != "calendar"
        }

    assert places(texts(language)) == places(texts("en"))
    for entries in texts(language).values():
        for name, text in entries.items():
            assert foreign_words(text, language, NAMES | {"D", "Secure"}) == [], name


def test_parts_of_sentences_in_kazakh_and_georgian() -> None:
    settled = RecordedFact(Fact.REFUND_SETTLED, NOON, detail=REFUND)
    assert "09.06.2026" in sentence(settled, "kk")
    assert "09.06.2026" in sentence(settled, "ka")
    topped_up = RecordedFact(Fact.TOP_UP_APPLIED, NOON, detail={"total_bytes": 7 * 2**30})
    assert sentence(topped_up, "kk") == "eSIM толықтырылды; барлығы 7\u00a0168 МБ."
    assert sentence(topped_up, "ka") == "eSIM შეივსო; სულ 7\u00a0168 მბ."
