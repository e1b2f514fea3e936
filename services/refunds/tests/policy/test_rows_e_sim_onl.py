"""The rows of docs/policies.md about e-sim-onl, by name: request, facts, verdict and clauses."""

from collections.abc import Callable

import pytest

from shared.testing.documents import JsonObject

PAID = "2026-11-02T12:00:00+05:00"
DAY_40_AT = "2026-12-12T12:00:00+05:00"
DAY_40: JsonObject = {"request": {"received_at": DAY_40_AT}}
GENERATION_FAILED: JsonObject = {"delivery": None, "profile": {"failed_at": PAID}}
NOT_DELIVERED: JsonObject = {"delivery": None}
REFUSED_BY_MAILBOX: JsonObject = {"delivery": {"refused_at": PAID}}
TOP_UP: JsonObject = {"order": {"kind": "top_up"}, "delivery": None}


def used(**profile: object) -> JsonObject:
    """What the operator reported, other than that nobody has touched the profile."""
    return {"used": profile}


def support(**found: object) -> JsonObject:
    return {"support": found}


ROWS = {
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
        ("changed_mind", used(observed_at=PAID)),
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


@pytest.mark.parametrize(("asked", "expected"), ROWS.values(), ids=ROWS)
def test_row(assert_decided: Callable[..., None], asked: tuple[str, JsonObject], expected: tuple[str, ...]) -> None:
    assert_decided("e-sim-onl", *asked, expected)
