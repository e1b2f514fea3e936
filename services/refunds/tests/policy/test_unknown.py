"""What the operator does not know, and what our own failure cost the buyer: whole facts as a person gives them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from refunds.policy import Decision, Facts
from refunds.policy.rules.texts import LANGUAGES
from refunds.policy.store import policies_in
from shared.testing.documents import JsonObject
from shared.testing.shops import EXAMPLES

decide = policies_in(EXAMPLES).decide

Decide = Callable[..., Decision]
UNKNOWN_USE: JsonObject = {
    "storefront": "e-sim-onl",
    "now": "2026-11-10T07:00:03Z",
    "order": {"paid_at": "2026-11-02T07:00:00Z", "paid": {"amount": "9.90", "currency": "USD"}},
    "delivery": {"delivered_at": "2026-11-02T07:00:00Z"},
    "profile": {"generated_at": "2026-11-02T07:00:00Z", "observed_at": "2026-11-10T07:00:02Z"},
    "request": {"received_at": "2026-11-10T07:00:00Z", "reason": "changed_mind", "provided": ["order_number", "email"]},
}
GIVEN_UP_LATE: JsonObject = {
    "storefront": "qazaq-esim",
    "now": "2026-11-22T07:00:00Z",
    "order": {"paid_at": "2026-11-02T07:00:00Z", "paid": {"amount": "4990.00", "currency": "KZT"}},
    "profile": {"failed_at": "2026-11-22T07:00:00Z"},
    "request": {
        "received_at": "2026-11-22T07:00:00Z",
        "reason": "technical_failure",
        "provided": ["order_number", "email", "reason"],
    },
}


def verdict(value: JsonObject, **profile: object) -> str:
    changed = value | {"profile": value["profile"] | profile}
    return decide(Facts.model_validate(changed)).verdict


def test_an_operator_that_answers_without_an_install_state_says_nothing() -> None:
    assert verdict(UNKNOWN_USE) == "await_observation"
    assert verdict(UNKNOWN_USE, install_state=None, used_bytes=None) == "await_observation"
    assert verdict(UNKNOWN_USE, install_state="unknown", used_bytes=0) == "await_observation"
    assert verdict(UNKNOWN_USE, install_state="released") == "approve"


@pytest.mark.parametrize("state", ["downloaded", "installed", "enabled", "disabled", "deleted"])
@pytest.mark.parametrize(
    ("storefront", "clause"), [("e-sim-onl", ("RC", "1")), ("esimka", ("RF", "3.1")), ("qazaq-esim", None)]
)
def test_every_state_of_a_profile_is_read(
    decided: Decide, storefront: str, clause: tuple[str, str] | None, state: str
) -> None:
    profile = {"generated_at": "2026-11-02T07:00:00Z", "install_state": state, "observed_at": "2026-11-10T12:00:00Z"}
    decision = decided(storefront, "changed_mind", profile=profile)
    assert decision.verdict == "deny"
    if clause is not None:
        assert (decision.grounds[0].document, decision.grounds[0].clause) == clause


@pytest.mark.parametrize("day", [2, 14, 15, 20, 30, 31, 40, 179, 181, 400])
@pytest.mark.parametrize("storefront", ["qazaq-esim", "e-sim-onl", "esimka"])
@pytest.mark.parametrize("reason", ["technical_failure", "not_delivered", "changed_mind", "other", "no_coverage"])
def test_our_own_failure_has_no_deadline(decided: Decide, storefront: str, day: int, reason: str) -> None:

    at = datetime(2026, 11, 2, 7, tzinfo=UTC) + timedelta(days=day)
    decision = decided(
        storefront, reason, now=at, delivery=None, profile={"failed_at": at}, request={"received_at": at}
    )
    assert decision.verdict == "approve"
    assert decision.deadlines.request_until is None


def test_what_was_given_up_late_goes_back() -> None:
    assert verdict(GIVEN_UP_LATE) == "approve"
    onl = GIVEN_UP_LATE | {
        "storefront": "e-sim-onl",
        "now": "2026-12-12T07:00:00Z",
        "order": {"paid_at": "2026-11-02T07:00:00Z", "paid": {"amount": "9.90", "currency": "USD"}},
        "profile": {"failed_at": "2026-12-12T07:00:00Z"},
        "request": {
            "received_at": "2026-12-12T07:00:00Z",
            "reason": "technical_failure",
            "provided": ["order_number", "email"],
        },
    }
    assert verdict(onl) == "approve"


@pytest.mark.parametrize("storefront", ["qazaq-esim", "e-sim-onl", "esimka"])
def test_the_law_binds_every_seller(decided: Decide, storefront: str) -> None:
    law = "Law on consumers, art. 5"
    decision = decided(storefront, "no_coverage", support={"legal_rule": law}, profile={"install_state": "enabled"})
    assert decision.verdict == "approve"
    assert law in decision.grounds[0].text
    assert all(law in decision.explanation.text(language) for language in LANGUAGES)
    cited = f"{decision.grounds[0].document} {decision.grounds[0].clause}"
    assert cited == ("RF 2.5" if storefront == "esimka" else f"§ {law}")
