"""Every row of policies.md, by name: what is asked, what is known, the verdict and its clauses."""

from collections.abc import Callable
from typing import Any

import pytest

from refunds.domain.policy import Decision

Decide = Callable[..., Decision]
PAID = "2026-11-02T12:00:00+05:00"
ASKED = "2026-11-10T12:00:00+05:00"
#: A profile that nobody has touched, as the operator said after the request.
UNTOUCHED: dict[str, Any] = {"generated_at": PAID, "used_bytes": 0, "observed_at": ASKED}
CONFIRMED: dict[str, Any] = {"finding": "technical_failure", "found_at": ASKED}
GENERATION_FAILED: dict[str, Any] = {"delivery": None, "profile": {"failed_at": PAID}}
NOT_DELIVERED: dict[str, Any] = {"delivery": None, "profile": {**UNTOUCHED}}


def used(**profile: Any) -> dict[str, Any]:
    return {"profile": {**UNTOUCHED, **profile}}


def support(**found: Any) -> dict[str, Any]:
    return {"support": found}


CONFIRMED_FAILURE: dict[str, Any] = {"support": CONFIRMED}
QAZAQ = {
    # Refundable only when all of these hold.
    "a generation failure that the platform recorded": (
        ("technical_failure", GENERATION_FAILED),
        ("approve", "RP 2.1", "RP 2.2", "RP 2.3", "PO 5.4"),
    ),
    "a confirmed failure of a delivered profile that was never activated": (
        ("technical_failure", CONFIRMED_FAILURE),
        ("approve", "RP 2.1", "RP 2.2", "RP 2.3", "PO 5.4"),
    ),
    "a confirmed failure of a profile that was installed and never activated": (
        ("technical_failure", CONFIRMED_FAILURE | used(installed_at=PAID)),
        ("approve", "RP 2.1", "RP 2.2", "RP 2.3", "PO 5.4"),
    ),
    "everything else waits for support": (("technical_failure", {}), ("await_support", "RP 2.2")),
    "not delivered is a failure that support confirms": (
        ("not_delivered", NOT_DELIVERED),
        ("await_support", "RP 2.2"),
    ),
    "a confirmed failure, and the profile was never looked at": (
        ("technical_failure", CONFIRMED_FAILURE | {"profile": None}),
        ("await_observation", "RP 2.3"),
    ),
    "a confirmed failure, and nobody counted the traffic": (
        ("technical_failure", CONFIRMED_FAILURE | used(used_bytes=None)),
        ("await_observation", "RP 2.3"),
    ),
    "no failure, and a mind changed before delivery": (("changed_mind", NOT_DELIVERED), ("deny", "RP 2")),
    "a mind changed, and the platform could make nothing": (
        ("changed_mind", GENERATION_FAILED),
        ("approve", "RP 2.1", "RP 2.2", "RP 2.3", "PO 5.4"),
    ),
    # Denied.
    "the device does not support eSIM": (
        ("incompatible_device", NOT_DELIVERED),
        ("deny", "RP 1", "PO 5.1", "RP 2"),
    ),
    "the device is SIM-locked": (("sim_locked", {}), ("deny", "RP 1", "PO 5.1", "PO 5.2", "RP 2")),
    "no device reason is cured by a failed generation": (
        ("incompatible_device", GENERATION_FAILED),
        ("deny", "RP 1", "PO 5.1"),
    ),
    "the QR was handed over and the product is of proper quality": (
        ("changed_mind", {}),
        ("deny", "RP 1", "PO 5.2", "RP 2"),
    ),
    "installed and then deleted, says the buyer": (
        ("deleted_profile", {}),
        ("deny", "RP 1", "PO 5.3", "PO 5.2", "RP 2"),
    ),
    "installed and then deleted, says the operator": (
        ("technical_failure", CONFIRMED_FAILURE | used(deleted_at=PAID)),
        ("deny", "RP 1", "PO 5.3"),
    ),
    "the phone's settings": (("phone_settings", {}), ("deny", "RP 1", "PO 6.2", "PO 5.2", "RP 2")),
    "coverage": (("no_coverage", NOT_DELIVERED), ("deny", "PO 6.2", "RP 2")),
    "slow data": (("slow_data", CONFIRMED_FAILURE), ("deny", "PO 6.2")),
    "throttled under the fair-use policy": (
        ("technical_failure", support(fair_use_violated=True)),
        ("deny", "PO 6.2"),
    ),
    "activated": (("technical_failure", CONFIRMED_FAILURE | used(activated_at=PAID)), ("deny", "RP 2.3")),
    "traffic above 0 MB": (("technical_failure", CONFIRMED_FAILURE | used(used_bytes=1)), ("deny", "RP 2.3")),
    "later than 14 days": (
        ("technical_failure", CONFIRMED_FAILURE | {"request": {"received_at": "2026-11-17T00:00:00+05:00"}}),
        ("deny", "RP 3"),
    ),
    "support found none": (
        ("technical_failure", support(finding="no_failure")),
        ("deny", "RP 2", "RP 1", "PO 5.2"),
    ),
    "no failure claimed": (("other", NOT_DELIVERED), ("deny", "RP 2")),
    "charged once": (("double_charge", NOT_DELIVERED), ("deny", "RP 2")),
    "charged twice": (("double_charge", {"order": {"charges": 2}} | used(used_bytes=5)), ("approve", "RF 2.4")),
    "scanned wrongly": (("scan_error", {}), ("deny", "RP 1", "PO 5.2", "RP 2")),
    "the code is lost": (("lost_code", {}), ("deny", "RP 1", "PO 5.2", "RP 2")),
    "a top-up that could not be made": (
        (
            "technical_failure",
            {"order": {"kind": "top_up"}, "delivery": None} | used(activated_at=PAID, failed_at=PAID),
        ),
        ("approve", "RP 2.1", "RP 2.2", "RP 2.3", "PO 5.4"),
    ),
}
TOP_UP: dict[str, Any] = {"order": {"kind": "top_up"}, "delivery": None}
ONL = {
    "not installed, within 30 days": (("changed_mind", {}), ("approve", "RC 1")),
    "not installed, whatever the reason": (("incompatible_device", {}), ("approve", "RC 1")),
    "never made": (("technical_failure", GENERATION_FAILED), ("approve", "RC 1")),
    "not looked at since the request": (
        ("changed_mind", {"profile": {**UNTOUCHED, "observed_at": PAID}}),
        ("await_observation", "RC 2"),
    ),
    "nothing known of the profile": (("changed_mind", {"profile": None}), ("await_observation", "RC 2")),
    "installed though unused": (("changed_mind", used(installed_at=PAID)), ("deny", "RC 1")),
    "installed and deleted": (("deleted_profile", used(installed_at=PAID, deleted_at=PAID)), ("deny", "RC 1")),
    "activated": (("technical_failure", used(activated_at=PAID)), ("deny", "RC 1")),
    "partly used": (("changed_mind", used(used_bytes=1)), ("deny", "RC 1")),
    "use is use, however old the observation": (
        ("changed_mind", used(installed_at=PAID, observed_at=PAID)),
        ("deny", "RC 1"),
    ),
    "revoked": (("changed_mind", used(revoked_at=PAID)), ("deny", "RC 1")),
    "a top-up already applied": (("changed_mind", TOP_UP | {"top_up": {"applied_at": PAID}}), ("deny", "RC 4")),
    "a top-up not applied, on an eSIM in use": (
        ("changed_mind", TOP_UP | used(installed_at=PAID, activated_at=PAID, used_bytes=7)),
        ("approve", "RC 1"),
    ),
    "a top-up that could not be applied": (
        ("technical_failure", TOP_UP | {"profile": {"failed_at": PAID}}),
        ("approve", "RC 1"),
    ),
    "never installed for 180 days": (
        ("changed_mind", {"request": {"received_at": "2027-05-02T00:00:00Z"}}),
        ("deny", "RC 7", "RC 1"),
    ),
    "expired, says the operator": (("changed_mind", used(expired_at=PAID)), ("deny", "RC 7")),
    "more than 30 days": (
        ("changed_mind", {"request": {"received_at": "2026-12-03T00:00:00Z"}}),
        ("deny", "RC 1"),
    ),
    "charged twice": (("double_charge", {"order": {"charges": 2}} | used(used_bytes=5)), ("approve", "RF 2.4")),
}
LATE = {"request": {"received_at": "2026-11-17T00:00:00+04:00"}}
DUE = {"order": {"delivery_due_at": "2026-11-03T12:00:00+05:00"}}
RESTORED_IN_TIME = support(**CONFIRMED, restored_at="2026-11-11T12:00:00+05:00")
AFTER_72_HOURS = {"now": "2026-11-13T12:00:00+05:00"}
NEVER_WORKED = used(installed_at=PAID, activated_at=PAID)
ESIMKA = {
    # Granted when any of these holds.
    "unused, at most 14 days since delivery": (("changed_mind", {}), ("approve", "RF 2.1")),
    "unused, delivered long after the purchase": (
        (
            "changed_mind",
            {"delivery": {"delivered_at": "2026-11-09T12:00:00+05:00"}, "order": {"paid_at": "2026-10-01T12:00:00Z"}},
        ),
        ("approve", "RF 2.1"),
    ),
    "a mind changed before delivery": (("changed_mind", NOT_DELIVERED), ("approve", "RF 2.1")),
    "unused, as far as an old observation knows": (
        ("changed_mind", {"profile": {**UNTOUCHED, "observed_at": PAID}}),
        ("await_observation", "RF 2.1"),
    ),
    "a failure that support has not looked at": (("technical_failure", {}), ("await_support", "RF 2.2")),
    "a confirmed failure may be restored": (
        ("technical_failure", CONFIRMED_FAILURE | NEVER_WORKED),
        ("await_restoration", "RF 2.2"),
    ),
    "not restored within 72 hours, although activated": (
        ("technical_failure", CONFIRMED_FAILURE | NEVER_WORKED | AFTER_72_HOURS),
        ("approve", "RF 2.2"),
    ),
    "not restored within 72 hours, and unused": (
        ("technical_failure", CONFIRMED_FAILURE | AFTER_72_HOURS),
        ("approve", "RF 2.2", "RF 2.1"),
    ),
    "not restored, by an observation from before the request": (
        ("technical_failure", CONFIRMED_FAILURE | AFTER_72_HOURS | used(activated_at=PAID, observed_at=PAID)),
        ("await_observation", "RF 2.1"),
    ),
    "restored in time": (("technical_failure", RESTORED_IN_TIME | NEVER_WORKED), ("deny", "RF 3.1")),
    "restored in time, and unused": (("technical_failure", RESTORED_IN_TIME), ("approve", "RF 2.1")),
    "restored in time, unused and late": (
        ("technical_failure", RESTORED_IN_TIME | LATE),
        ("deny", "RF 2.2", "RF 2.1"),
    ),
    "support found no failure": (
        ("technical_failure", support(finding="no_failure") | LATE),
        ("deny", "RF 2.2", "RF 2.1"),
    ),
    "the platform could not make it": (("technical_failure", GENERATION_FAILED), ("approve", "RF 2.3")),
    "not provided in time": (("not_delivered", NOT_DELIVERED | DUE), ("approve", "RF 2.3")),
    "provided late, unused": (
        ("changed_mind", DUE | {"delivery": {"delivered_at": "2026-11-03T12:00:01+05:00"}}),
        ("approve", "RF 2.1", "RF 2.3"),
    ),
    "not provided in time because of the buyer": (
        ("not_delivered", NOT_DELIVERED | DUE | support(buyer_caused_delay=True)),
        ("deny", "RF 2.3"),
    ),
    "there is still time to provide it": (
        ("not_delivered", NOT_DELIVERED | {"order": {"delivery_due_at": "2026-11-10T12:00:01+05:00"}}),
        ("deny", "RF 2.3"),
    ),
    "charged twice": (("double_charge", {"order": {"charges": 2}} | used(activated_at=PAID)), ("approve", "RF 2.4")),
    "another error of the payment system": (
        ("double_charge", support(finding="technical_failure") | used(activated_at=PAID)),
        ("approve", "RF 2.4"),
    ),
    "an error of the payment system that nobody has looked for": (
        ("double_charge", used(activated_at=PAID)),
        ("await_support", "RF 2.4"),
    ),
    "no error of the payment system": (
        ("double_charge", support(finding="no_failure") | LATE),
        ("deny", "RF 2.4", "RF 2.1"),
    ),
    "mandatory by law": (
        ("no_coverage", support(legal_rule="Civil Code, section 1") | used(activated_at=PAID)),
        ("approve", "RF 2.5"),
    ),
    # Denied.
    "activated": (("changed_mind", used(activated_at=PAID)), ("deny", "RF 3.1")),
    "installed: the code is used": (("changed_mind", used(installed_at=PAID)), ("deny", "RF 3.1")),
    "it failed after it had worked": (
        ("technical_failure", CONFIRMED_FAILURE | AFTER_72_HOURS | used(activated_at=PAID, used_bytes=1)),
        ("deny", "RF 3.1"),
    ),
    "incompatible device": (("incompatible_device", {}), ("deny", "RF 3.2")),
    "operator lock": (("sim_locked", {}), ("deny", "RF 3.2")),
    "no coverage": (("no_coverage", {}), ("deny", "RF 3.2")),
    "scanning error": (("scan_error", {}), ("deny", "RF 3.3")),
    "lost code": (("lost_code", {}), ("deny", "RF 3.3")),
    "installed where transfer is impossible": (
        ("deleted_profile", used(installed_at=PAID, deleted_at=PAID)),
        ("deny", "RF 3.3", "RF 3.1"),
    ),
    "the tariff had expired": (
        ("technical_failure", CONFIRMED_FAILURE | AFTER_72_HOURS | used(activated_at=PAID, plan_ends_at=ASKED)),
        ("deny", "RF 3.4"),
    ),
    "a tariff that ended while the failure was looked at": (
        (
            "technical_failure",
            CONFIRMED_FAILURE | AFTER_72_HOURS | used(activated_at=PAID, plan_ends_at="2026-11-10T12:00:01+05:00"),
        ),
        ("approve", "RF 2.2"),
    ),
    "expired unused": (("changed_mind", used(expired_at=PAID)), ("deny", "RF 3.4")),
    "fair use violated": (("slow_data", support(fair_use_violated=True)), ("deny", "RF 3.5")),
    "later than 14 days after delivery": (("changed_mind", LATE), ("deny", "RF 2.1")),
    "a top-up that was applied": (
        ("changed_mind", TOP_UP | {"top_up": {"applied_at": PAID}}),
        ("deny", "RF 3.1"),
    ),
}
ROWS = [
    pytest.param(storefront, *asked, expected, id=f"{storefront}: {name}")
    for storefront, rows in (("qazaq-esim", QAZAQ), ("e-sim-onl", ONL), ("esimka", ESIMKA))
    for name, (asked, expected) in rows.items()
]


def clauses(decision: Decision) -> list[str]:
    return [f"{ground.document} {ground.clause}" for ground in decision.grounds]


@pytest.mark.parametrize(("storefront", "reason", "parts", "expected"), ROWS)
def test_row(decided: Decide, storefront: str, reason: str, parts: dict[str, Any], expected: tuple[str, ...]) -> None:
    verdict, *grounds = expected
    decision = decided(storefront, reason, **parts)
    assert (decision.verdict, clauses(decision)) == (verdict, grounds)
    paid = f"5990.00 {'KZT' if storefront == 'qazaq-esim' else 'USD'}"
    assert (str(decision.refund) if decision.refund else None) == (paid if verdict == "approve" else None)
    assert decision.missing == ()
    for text in (decision.explanation.en, decision.explanation.ru):
        assert paid in text
        for clause in grounds:
            assert clause in text
    if verdict == "deny":
        assert "appeal" in decision.explanation.en
        assert "обжаловать" in decision.explanation.ru


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
