"""Every row of docs/policies.md, by name: what is asked, what is known, the verdict and its clauses."""

from collections.abc import Callable
from typing import Any

import pytest

from refunds.domain.policy import Decision

Decide = Callable[..., Decision]
PAID = "2026-11-02T12:00:00+05:00"
ASKED = "2026-11-10T12:00:00+05:00"
#: A profile that nobody has touched, as the operator said after the request.
UNTOUCHED: dict[str, Any] = {
    "generated_at": PAID,
    "install_state": "released",
    "used_bytes": 0,
    "observed_at": ASKED,
}
CONFIRMED: dict[str, Any] = {"finding": "technical_failure", "found_at": ASKED}
DAY_20_AT, DAY_40_AT = "2026-11-22T12:00:00+05:00", "2026-12-12T12:00:00+05:00"
DAY_20: dict[str, Any] = {"request": {"received_at": DAY_20_AT}}
DAY_40: dict[str, Any] = {"request": {"received_at": DAY_40_AT}}
REFUSED_BY_MAILBOX: dict[str, Any] = {"delivery": {"refused_at": PAID}, "profile": {**UNTOUCHED}}
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
    "a confirmed failure, 0 bytes, and the operator does not know the install state": (
        ("technical_failure", CONFIRMED_FAILURE | used(install_state="unknown")),
        ("await_observation", "RP 2.3"),
    ),
    "downloaded is not yet activated": (
        ("technical_failure", CONFIRMED_FAILURE | used(install_state="downloaded")),
        ("approve", "RP 2.1", "RP 2.2", "RP 2.3", "PO 5.4"),
    ),
    "installed is not yet activated": (
        ("technical_failure", CONFIRMED_FAILURE | used(install_state="installed")),
        ("approve", "RP 2.1", "RP 2.2", "RP 2.3", "PO 5.4"),
    ),
    "enabled is activated": (
        ("technical_failure", CONFIRMED_FAILURE | used(install_state="enabled")),
        ("deny", "RP 2.3"),
    ),
    "disabled was enabled": (
        ("technical_failure", CONFIRMED_FAILURE | used(install_state="disabled")),
        ("deny", "RP 2.3"),
    ),
    "deleted, says the operator's state": (
        ("technical_failure", CONFIRMED_FAILURE | used(install_state="deleted")),
        ("deny", "RP 1", "PO 5.3"),
    ),
    "looked at before support's finding": (
        ("technical_failure", {"support": {**CONFIRMED, "found_at": "2026-11-10T12:00:01+05:00"}}),
        ("await_observation", "RP 2.3"),
    ),
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
    "what could not be made goes back, whatever reason is named": (
        ("incompatible_device", GENERATION_FAILED),
        ("approve", "RP 2.1", "RP 2.2", "RP 2.3", "PO 5.4", "RP 1", "PO 5.1"),
    ),
    "the platform gave up on day 20": (
        ("technical_failure", GENERATION_FAILED | DAY_20),
        ("approve", "RP 2.1", "RP 2.2", "RP 2.3", "PO 5.4"),
    ),
    "not delivered until day 20, and support confirms the failure": (
        ("not_delivered", NOT_DELIVERED | DAY_20 | CONFIRMED_FAILURE | used(observed_at=DAY_20_AT)),
        ("approve", "RP 2.1", "RP 2.2", "RP 2.3", "PO 5.4"),
    ),
    "not delivered until day 20, and support has not looked": (
        ("not_delivered", NOT_DELIVERED | DAY_20),
        ("await_support", "RP 2.2"),
    ),
    "the mailbox refused the code, and the buyer is at fault": (
        ("not_delivered", REFUSED_BY_MAILBOX | DAY_20 | support(**CONFIRMED, buyer_caused_delay=True)),
        ("deny", "RP 3"),
    ),
    "the mailbox refused the code, and nobody knows whose fault that is": (
        ("not_delivered", REFUSED_BY_MAILBOX | DAY_20 | CONFIRMED_FAILURE | used(observed_at=DAY_20_AT)),
        ("await_support", "RP 2.2"),
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
    "slow data": (("slow_data", {}), ("deny", "PO 6.2", "RP 1", "PO 5.2", "RP 2")),
    "slow data, and support confirms a failure": (
        ("slow_data", CONFIRMED_FAILURE),
        ("approve", "RP 2.1", "RP 2.2", "RP 2.3", "PO 5.4", "PO 6.2"),
    ),
    "a device that cannot do eSIM, and support confirms a failure": (
        ("incompatible_device", CONFIRMED_FAILURE),
        ("approve", "RP 2.1", "RP 2.2", "RP 2.3", "PO 5.4", "RP 1", "PO 5.1"),
    ),
    "installed and deleted, says the buyer, and support confirms a failure": (
        ("deleted_profile", CONFIRMED_FAILURE),
        ("deny", "RP 1", "PO 5.3"),
    ),
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
    "charged once, and nobody has looked for an error of the payment system": (
        ("double_charge", NOT_DELIVERED),
        ("await_support", "RF 2.4"),
    ),
    "charged once, and no error of the payment system": (
        ("double_charge", NOT_DELIVERED | support(finding="no_failure")),
        ("deny", "RP 2"),
    ),
    "mandatory by law": (
        ("no_coverage", support(legal_rule="Civil Code, section 1") | used(activated_at=PAID) | DAY_20),
        ("approve", "§ Civil Code, section 1"),
    ),
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
    "the operator does not know whether it is installed": (
        ("changed_mind", used(install_state="unknown")),
        ("await_observation", "RC 2"),
    ),
    "not installed, and the operator counts no traffic": (("changed_mind", used(used_bytes=None)), ("approve", "RC 1")),
    "a scanned QR code is installed": (("changed_mind", used(install_state="downloaded")), ("deny", "RC 1")),
    "scanned once, however long ago": (
        ("changed_mind", used(install_state="unknown", downloaded_at=PAID, observed_at=None)),
        ("deny", "RC 1"),
    ),
    "looked at before the last document came": (
        ("changed_mind", {"request": {"completed_at": "2026-11-10T12:00:01+05:00"}}),
        ("await_observation", "RC 2"),
    ),
    "never made, given up on day 40": (("technical_failure", GENERATION_FAILED | DAY_40), ("approve", "RC 1")),
    "never made, and the device cannot do eSIM": (("incompatible_device", GENERATION_FAILED), ("approve", "RC 1")),
    "made and never delivered until day 40": (
        ("not_delivered", NOT_DELIVERED | DAY_40 | used(observed_at=DAY_40_AT)),
        ("approve", "RC 1"),
    ),
    "the mailbox refused the code until day 40, and the buyer is at fault": (
        ("not_delivered", REFUSED_BY_MAILBOX | DAY_40 | support(buyer_caused_delay=True)),
        ("deny", "RC 1"),
    ),
    "the mailbox refused the code until day 40, and nobody has looked": (
        ("not_delivered", REFUSED_BY_MAILBOX | DAY_40 | used(observed_at=DAY_40_AT)),
        ("await_support", "RC 2"),
    ),
    "mandatory by law": (
        ("no_coverage", support(legal_rule="Directive 2011/83/EU, art. 9") | used(activated_at=PAID) | DAY_40),
        ("approve", "§ Directive 2011/83/EU, art. 9"),
    ),
    "charged once, and nobody has looked for an error of the payment system": (
        ("double_charge", used(activated_at=PAID)),
        ("await_support", "RF 2.4"),
    ),
    "another error of the payment system": (
        ("double_charge", support(finding="technical_failure") | used(activated_at=PAID)),
        ("approve", "RF 2.4"),
    ),
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
    "a failure that support has not looked at": (
        ("technical_failure", used(installed_at=PAID)),
        ("await_support", "RF 2.2"),
    ),
    "a failure that nobody need look at, since the code is unused": (("technical_failure", {}), ("approve", "RF 2.1")),
    "the operator does not know whether the code is used": (
        ("changed_mind", used(install_state="unknown")),
        ("await_observation", "RF 2.1"),
    ),
    "a scanned QR code is used": (("changed_mind", used(install_state="downloaded")), ("deny", "RF 3.1")),
    "not restored, and nobody counted the traffic": (
        ("technical_failure", CONFIRMED_FAILURE | AFTER_72_HOURS | used(installed_at=PAID, used_bytes=None)),
        ("await_observation", "RF 2.1"),
    ),
    "not restored, nobody counted the traffic, and the code is unused": (
        ("technical_failure", CONFIRMED_FAILURE | AFTER_72_HOURS | used(used_bytes=None)),
        ("approve", "RF 2.1"),
    ),
    "could not be made, and the device cannot do eSIM": (
        ("incompatible_device", GENERATION_FAILED),
        ("approve", "RF 2.3", "RF 3.2"),
    ),
    "could not be made, on day 40": (("technical_failure", GENERATION_FAILED | DAY_40), ("approve", "RF 2.3")),
    "not provided in time, made, and its state is unknown": (
        ("not_delivered", {"delivery": None} | DUE | used(install_state="unknown")),
        ("await_observation", "RF 2.1"),
    ),
    "not provided in time, and not made as far as the platform knows": (
        ("not_delivered", {"delivery": None, "profile": None} | DUE),
        ("approve", "RF 2.3"),
    ),
    "not provided in time, and the mailbox refused the code": (
        ("not_delivered", REFUSED_BY_MAILBOX | DUE),
        ("await_support", "RF 2.2"),
    ),
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
    "incompatible device": (("incompatible_device", LATE), ("deny", "RF 3.2")),
    "operator lock": (("sim_locked", used(install_state="installed")), ("deny", "RF 3.2", "RF 3.1")),
    "no coverage": (("no_coverage", LATE), ("deny", "RF 3.2")),
    "scanning error": (("scan_error", {}), ("deny", "RF 3.3")),
    "lost code": (("lost_code", {}), ("deny", "RF 3.3")),
    "lost code, and nobody knows whether it was used": (
        ("lost_code", used(install_state="unknown")),
        ("deny", "RF 3.3"),
    ),
    "lost code, and it never could be made": (("lost_code", GENERATION_FAILED), ("approve", "RF 2.3", "RF 3.3")),
    # The text grants and denies at once: the grant prevails, and both clauses are named.
    "incompatible device, unused within 14 days": (("incompatible_device", {}), ("approve", "RF 2.1", "RF 3.2")),
    "incompatible device, and it is unknown whether the code is used": (
        ("incompatible_device", used(install_state="unknown")),
        ("await_observation", "RF 2.1"),
    ),
    "operator lock, unused within 14 days": (("sim_locked", {}), ("approve", "RF 2.1", "RF 3.2")),
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
