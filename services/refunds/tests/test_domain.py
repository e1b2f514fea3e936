"""Cases and what their decisions rest on, without any table."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refunds.cases.models.case import Case, CaseState, RefundOutcome
from refunds.cases.models.file import Order
from refunds.cases.rules.deadlines import windows
from refunds.cases.rules.facts import facts_of, hypothetical
from refunds.cases.rules.state import case_state
from refunds.cases.store.observations import merged, observation_row
from refunds.eligibility.rules import prospects
from refunds.policy.store import policies_in
from refunds.tables import observations, order_facts
from shared.contracts import InstallStatus, ProfileObserved, Usage
from shared.ids import uuid7
from shared.testing.documents import JsonObject
from shared.testing.shops import EXAMPLES

decide = policies_in(EXAMPLES).decide

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Row:
    """A row with the columns of an order's facts and observations; what is not given is null."""

    def __init__(self, **values: object) -> None:
        for column in (*order_facts.c, *observations.c):
            setattr(self, column.name, None)
        self.__dict__ |= values


def order(storefront: str = "esimka", **values: object) -> Order:
    known = {"order_id": uuid7(), "order_number": "10000001", "storefront": storefront, "paid_at": NOON}
    return Order(Row(**known | {"paid_minor": 599050, "currency": "USD", "kind": "esim"} | values), ())


def case(of: Order, ground: str = "changed_mind", **values: object) -> Case:
    known: JsonObject = {"origin": "buyer", "requested_at": NOON, "reason": ground, "provided": ["order_number"]}
    return Case(case_id=uuid7(), order_id=of.row.order_id, ground=ground, **known | values)


@pytest.mark.parametrize(
    ("values", "outcome", "state"),
    [
        ({}, RefundOutcome(), CaseState.NEEDS_PERSON),
        ({"verdict": "await_information"}, RefundOutcome(), CaseState.INFORMATION_NEEDED),
        ({"verdict": "await_observation"}, RefundOutcome(), CaseState.OBSERVING),
        ({"verdict": "await_support"}, RefundOutcome(), CaseState.SUPPORT),
        ({"verdict": "await_restoration"}, RefundOutcome(), CaseState.RESTORATION),
        ({"verdict": "approve", "cancellation_accepted_at": NOON}, RefundOutcome(), CaseState.REVOKING),
        ({"verdict": "approve", "revocation_asked_at": NOON}, RefundOutcome(), CaseState.REVOKING),
        (
            {"verdict": "approve", "revocation_asked_at": NOON, "person_since": NOON},
            RefundOutcome(),
            CaseState.NEEDS_PERSON,
        ),
        ({"verdict": "await_observation", "person_since": NOON}, RefundOutcome(), CaseState.NEEDS_PERSON),
        ({"verdict": "approve", "refund_id": uuid7(), "person_since": NOON}, RefundOutcome(), CaseState.PAYING),
        ({"verdict": "approve", "refund_id": uuid7()}, RefundOutcome(), CaseState.PAYING),
        ({"verdict": "approve", "refund_id": uuid7()}, RefundOutcome(failed_at=NOON), CaseState.NEEDS_PERSON),
        ({"verdict": "approve", "refund_id": uuid7()}, RefundOutcome(NOON, NOON), CaseState.SETTLED),
        ({"verdict": "deny", "closed_at": NOON, "closed_as": "denied"}, RefundOutcome(), CaseState.DENIED),
        ({"verdict": "deny", "appealed_at": NOON}, RefundOutcome(), CaseState.APPEALED),
        ({"verdict": "deny", "appealed_at": NOON, "appeal_answered_at": NOON}, RefundOutcome(), CaseState.DENIED),
        ({"closed_at": NOON, "closed_as": "superseded"}, RefundOutcome(), CaseState.SUPERSEDED),
    ],
)
def test_a_case_is_where_its_facts_say(values: JsonObject, outcome: RefundOutcome, state: CaseState) -> None:
    of = order()
    assert case_state(case(of, **values), outcome) is state


@pytest.mark.parametrize(
    ("storefront", "clause"), [("qazaq-esim", "RP 2.1"), ("e-sim-onl", "RC 1"), ("esimka", "RF 2.3")]
)
def test_a_failed_generation_returns_everything(storefront: str, clause: str) -> None:
    of = order(storefront, failed_at=NOON)
    failed = case(of, "generation_failed", origin="system", reason=None, provided=None, received_at=NOON)
    decision = decide(facts_of(of, failed, NOON))
    assert decision.verdict == "approve"
    assert f"{decision.grounds[0].document} {decision.grounds[0].clause}" == clause
    assert decision.refund is not None
    assert decision.refund.money.amount == 599050


def seen(state: str = "released", used: int | None = 0, at: datetime = NOON, **values: object) -> JsonObject:
    """What an operator said at that moment."""
    return {
        "generated_at": NOON,
        "delivered_at": NOON,
        "install_state": state,
        "install_observed_at": at,
        "used_bytes": used,
        "usage_observed_at": None if used is None else at,
        "asked_at": at,
        **values,
    }


def test_a_look_is_worth_one_decision() -> None:
    looked = NOON + HOUR
    of = order("e-sim-onl", **seen(at=looked))
    provided = ["order_number", "email", "reason"]
    assert decide(facts_of(of, case(of, provided=provided), looked + 9 * HOUR)).verdict == "approve"
    for later in (
        {"received_at": looked + HOUR},
        {"completed_at": looked + HOUR},
        {"observe_after": looked + HOUR},
        {"finding": "no_failure", "found_at": looked + HOUR},
    ):
        asked = case(of, provided=provided, **later)
        assert decide(facts_of(of, asked, looked + 2 * HOUR)).verdict == "await_observation", later


def test_a_whole_second_of_the_operators_clock_is_not_older_than_the_request() -> None:
    of = order("e-sim-onl", **seen(at=NOON))
    asked = case(of, provided=["order_number", "email"], received_at=NOON + timedelta(milliseconds=999))
    assert decide(facts_of(of, asked, NOON + HOUR)).verdict == "approve"


@pytest.mark.parametrize("state", ["downloaded", "installed", "enabled", "disabled", "deleted"])
@pytest.mark.parametrize("at", [NOON - HOUR, NOON + HOUR])
def test_a_sign_of_use_counts_however_old_it_is(state: str, at: datetime) -> None:
    of = order("e-sim-onl", **seen(state, None, at))
    asked = case(of, provided=["order_number", "email"])
    assert decide(facts_of(of, asked, NOON + 2 * HOUR)).verdict == "deny"


def test_an_old_install_state_with_a_new_count_denies_nothing() -> None:
    """An operator counts bytes now, and has reported the install state once: that it is installed does not say that it
    still is not activated."""
    of = order("qazaq-esim", currency="KZT", **seen("installed", 0, NOON + HOUR, install_observed_at=NOON - HOUR))
    asked = case(
        of,
        "technical_failure",
        provided=["order_number", "email", "reason"],
        finding="technical_failure",
        found_at=NOON,
    )
    assert decide(facts_of(of, asked, NOON + 2 * HOUR)).verdict == "await_observation"


def test_what_the_operator_said_to_an_agent_counts_as_its_report() -> None:
    of = order("e-sim-onl", **seen("unknown", None, NOON + HOUR))
    for found, verdict in (("unused", "approve"), ("used", "deny"), (None, "await_observation")):
        asked = case(
            of, provided=["order_number", "email"], profile_finding=found, profile_found_at=found and NOON + HOUR
        )
        assert decide(facts_of(of, asked, NOON + 2 * HOUR)).verdict == verdict
    known = order("e-sim-onl", **seen("downloaded", 0, NOON - HOUR))
    asked = case(known, provided=["order_number", "email"], profile_finding="unused", profile_found_at=NOON + HOUR)
    assert decide(facts_of(known, asked, NOON + 2 * HOUR)).verdict == "deny"


def test_a_revocation_of_ours_is_not_held_against_the_buyer() -> None:
    of = order("e-sim-onl", **seen(revoked_at=NOON, revoked_case_id=uuid7()))
    assert facts_of(of, case(of), NOON).profile.revoked_at is None
    by_hand = order("e-sim-onl", **seen(revoked_at=NOON))
    assert facts_of(by_hand, case(by_hand), NOON).profile.revoked_at == NOON


def test_eligibility_says_what_would_change_it() -> None:
    of = order("esimka", generated_at=NOON, delivered_at=NOON)
    found = {one.reason: one for one in prospects(lambda reason: hypothetical(of, reason, NOON), decide)}
    changed_mind = found["changed_mind"]
    assert changed_mind.decision.verdict == "await_observation"
    assert changed_mind.decision.deadlines.request_until == datetime(2026, 12, 4, 20, tzinfo=UTC)
    changes = {change.condition: change.decision for change in changed_mind.changes}
    assert changes["operator_confirms_unused"].verdict == "approve"
    assert changes["activated"].verdict == changes["asked_after_deadline"].verdict == "deny"
    assert changes["activated"].grounds[0].clause == "3.1"
    # Where the text grants and denies at once, it grants (RF 2.1, RF 3.2); a used code is refused whatever the reason.
    assert found["no_coverage"].decision.verdict == "await_observation"
    used = order("esimka", **seen("installed", 0))
    refused = {one.reason: one for one in prospects(lambda reason: hypothetical(used, reason, NOON), decide)}
    assert refused["no_coverage"].decision.verdict == "deny"
    verdicts = {change.condition: str(change.decision.verdict) for change in refused["no_coverage"].changes}
    assert verdicts == {"support_confirms_failure": "await_restoration"}


ANY_CASE: Case = case(order())
MOMENTS = st.one_of(st.none(), st.integers(0, 5).map(lambda hours: NOON + hours * HOUR))


@st.composite
def observed(draw: st.DrawFn) -> ProfileObserved:
    return ProfileObserved(
        order_id=ANY_CASE.order_id,
        order_number="10000001",
        storefront="esimka",
        buyer_id=ANY_CASE.case_id,
        iccid="8999702000000000001",
        operator="sandbox",
        install=InstallStatus(
            state=draw(st.sampled_from(["unknown", "released", "installed"])),
            source=draw(st.sampled_from([None, "feed", "notification"])),
            observed_at=draw(MOMENTS),
        ),
        usage=Usage(used_bytes=draw(st.sampled_from([None, 0, 1])), source=None, observed_at=draw(MOMENTS)),
        installed_at=draw(MOMENTS),
        activated_at=draw(MOMENTS),
        case_id=draw(st.sampled_from([None, ANY_CASE.case_id])),
        reached=draw(st.booleans()),
        observed_at=NOON + draw(st.integers(0, 5)) * HOUR,
    )


@given(st.lists(observed(), min_size=1, max_size=5), st.randoms())
def test_observations_end_the_same_in_any_order(observations: list[ProfileObserved], random: Random) -> None:
    def end(events: list[ProfileObserved]) -> JsonObject:
        rows = [observation_row(event) for event in events]
        known = rows[0]
        for row in rows[1:]:
            known = merged(known, row)
        return known

    shuffled = [*observations, *observations[:2]]
    random.shuffle(shuffled)
    assert end(observations) == end(shuffled)


def test_deadlines_come_closer() -> None:
    friday = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
    calendar = policies_in(EXAMPLES).versions("esimka")[-1].calendar
    assert windows(friday - HOUR, friday, calendar) == ("overdue",)
    assert windows(friday + HOUR, friday, calendar) == ("24h", "2_business_days")
    # Monday 23 November is St George's Day in Georgia: two business days end on Wednesday.
    assert windows(datetime(2026, 11, 25, 19, tzinfo=UTC), friday, calendar) == ("2_business_days",)
    assert windows(datetime(2026, 11, 26, 19, tzinfo=UTC), friday, calendar) == ()
