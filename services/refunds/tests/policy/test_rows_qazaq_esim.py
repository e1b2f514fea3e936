"""The rows of docs/policies.md about qazaq-esim, by name: request, facts, verdict and clauses."""

from collections.abc import Callable

import pytest

from shared.testing.documents import JsonObject

PAID = "2026-11-02T12:00:00+05:00"
ASKED = "2026-11-10T12:00:00+05:00"
CONFIRMED: JsonObject = {"finding": "technical_failure", "found_at": ASKED}
CONFIRMED_FAILURE: JsonObject = {"support": CONFIRMED}
DAY_20_AT = "2026-11-22T12:00:00+05:00"
DAY_20: JsonObject = {"request": {"received_at": DAY_20_AT}}
GENERATION_FAILED: JsonObject = {"delivery": None, "profile": {"failed_at": PAID}}
NOT_DELIVERED: JsonObject = {"delivery": None}
REFUSED_BY_MAILBOX: JsonObject = {"delivery": {"refused_at": PAID}}


def used(**profile: object) -> JsonObject:
    """What the operator reported, other than that nobody has touched the profile."""
    return {"used": profile}


def support(**found: object) -> JsonObject:
    return {"support": found}


ROWS = {
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


@pytest.mark.parametrize(("asked", "expected"), ROWS.values(), ids=ROWS)
def test_row(assert_decided: Callable[..., None], asked: tuple[str, JsonObject], expected: tuple[str, ...]) -> None:
    assert_decided("qazaq-esim", *asked, expected)
