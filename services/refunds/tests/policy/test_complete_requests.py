"""What a request must carry before it is decided, and what outranks every shop's own text."""

from collections.abc import Callable

import pytest

from refunds.policy import Decision

Decide = Callable[..., Decision]
PAID = "2026-11-02T12:00:00+05:00"


def clauses(decision: Decision) -> list[str]:
    return [f"{ground.document} {ground.clause}" for ground in decision.grounds]


@pytest.mark.parametrize(
    ("storefront", "required"),
    [
        ("qazaq-esim", ["order_number", "email", "reason"]),
        ("e-sim-onl", ["order_number", "email"]),
        ("esimka", ["order_number", "email", "full_name", "payment_date", "reason", "evidence"]),
    ],
)
def test_a_request_carries_what_the_policy_requires(decided: Decide, storefront: str, required: list[str]) -> None:
    complete = decided(storefront, "technical_failure", request={"provided": required})
    assert complete.verdict != "await_information"
    for field in required:
        lacking = decided(
            storefront, "technical_failure", request={"provided": [other for other in required if other != field]}
        )
        assert (lacking.verdict, field in lacking.missing) == ("await_information", True)
        assert lacking.refund is None
        expected = {"qazaq-esim": ["RP 3"], "e-sim-onl": ["RC 2"], "esimka": ["RF 4.2", "RF 4.3"]}[storefront]
        assert clauses(lacking) == expected


def test_esimka_takes_phone_or_mail_and_wants_evidence_of_failures_only(decided: Decide) -> None:
    fields = ["order_number", "phone", "full_name", "payment_date", "reason"]
    assert decided("esimka", "changed_mind", request={"provided": fields}).verdict == "approve"
    assert decided("esimka", "technical_failure", request={"provided": fields}).missing == ("evidence",)
    neither = decided("esimka", "changed_mind", request={"provided": [f for f in fields if f != "phone"]})
    assert neither.missing == ("email", "phone")
    assert "RF 4.3" in neither.explanation.en


def test_completeness_comes_before_every_refusal(decided: Decide) -> None:
    asked = decided("esimka", "incompatible_device", request={"provided": None}, profile={"activated_at": PAID})
    assert asked.verdict == "await_information"
    assert asked.missing == ("order_number", "email", "phone", "full_name", "payment_date", "reason")


@pytest.mark.parametrize("storefront", ["qazaq-esim", "e-sim-onl", "esimka"])
def test_nobody_keeps_money_taken_twice(decided: Decide, storefront: str) -> None:
    decision = decided(storefront, "double_charge", order={"charges": 3}, profile={"activated_at": PAID})
    assert (decision.verdict, clauses(decision)) == ("approve", ["RF 2.4"])
    assert decision.refund is not None
    assert decision.refund.amount == "5990.00"
