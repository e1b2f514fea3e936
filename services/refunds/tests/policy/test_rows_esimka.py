"""The rows of docs/policies.md about esimka, by name: request, facts, verdict and clauses."""

from collections.abc import Callable

import pytest

from shared.testing.documents import JsonObject

PAID = "2026-11-02T12:00:00+05:00"
ASKED = "2026-11-10T12:00:00+05:00"
CONFIRMED: JsonObject = {"finding": "technical_failure", "found_at": ASKED}
CONFIRMED_FAILURE: JsonObject = {"support": CONFIRMED}
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


LATE = {"request": {"received_at": "2026-11-17T00:00:00+04:00"}}
DUE = {"order": {"delivery_due_at": "2026-11-03T12:00:00+05:00"}}
RESTORED_IN_TIME = support(**CONFIRMED, restored_at="2026-11-11T12:00:00+05:00")
AFTER_72_HOURS = {"now": "2026-11-13T12:00:00+05:00"}
NEVER_WORKED = used(installed_at=PAID, activated_at=PAID)
ROWS = {
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
        ("changed_mind", used(observed_at=PAID)),
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
        ("await_support", "RF 2.3"),
    ),
    "not provided in time, the mailbox refused the code, and support found a failure": (
        ("technical_failure", REFUSED_BY_MAILBOX | DUE | CONFIRMED_FAILURE),
        ("await_support", "RF 2.3"),
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


@pytest.mark.parametrize(("asked", "expected"), ROWS.values(), ids=ROWS)
def test_row(assert_decided: Callable[..., None], asked: tuple[str, JsonObject], expected: tuple[str, ...]) -> None:
    assert_decided("esimka", *asked, expected)
