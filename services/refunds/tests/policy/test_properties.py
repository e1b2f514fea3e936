"""What no facts may ever bring about, judged by clauses written down here a second time."""

import copy
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refunds.policy import REQUEST_FIELDS, Facts, Reason
from refunds.policy.rules.texts import LANGUAGES
from refunds.policy.store import policies_in
from shared.contracts import InstallState
from shared.testing.documents import Json, JsonObject
from shared.testing.shops import EXAMPLES

decide = policies_in(EXAMPLES).decide

PAID = datetime(2026, 11, 2, 12, tzinfo=UTC)
ZONES = {"qazaq-esim": ZoneInfo("Asia/Almaty"), "e-sim-onl": UTC, "esimka": ZoneInfo("Asia/Tbilisi")}
STATES = (None, *get_args(InstallState))
moments = st.one_of(
    st.none(),
    st.integers(0, 200 * 24).map(lambda hours: PAID + timedelta(hours=hours)),
    st.integers(0, 96 * 60).map(lambda minutes: PAID + timedelta(minutes=minutes)),
)
certain = moments.filter(lambda moment: moment is not None)


def part(**fields: st.SearchStrategy[object]) -> st.SearchStrategy[JsonObject | None]:
    return st.one_of(st.none(), st.fixed_dictionaries({}, optional=fields))


maybe_all = st.one_of(st.just(list(REQUEST_FIELDS)), st.lists(st.sampled_from(REQUEST_FIELDS), unique=True))
facts = st.fixed_dictionaries(
    {
        "storefront": st.sampled_from(sorted(ZONES)),
        "order": st.fixed_dictionaries(
            {"paid_at": st.just(PAID), "paid": st.just({"amount": "5990.00", "currency": "KZT"})},
            optional={
                "kind": st.sampled_from(["esim", "esim", "top_up"]),
                "charges": st.integers(1, 3),
                "delivery_due_at": moments,
            },
        ),
        "delivery": part(delivered_at=moments, refused_at=moments),
        "profile": part(
            generated_at=moments,
            failed_at=moments,
            install_state=st.sampled_from(STATES),
            downloaded_at=st.one_of(st.none(), st.none(), moments),
            installed_at=st.one_of(st.none(), st.none(), moments),
            activated_at=st.one_of(st.none(), st.none(), moments),
            deleted_at=st.one_of(st.none(), st.none(), moments),
            revoked_at=st.one_of(st.none(), st.none(), moments),
            expired_at=st.one_of(st.none(), st.none(), moments),
            plan_ends_at=moments,
            used_bytes=st.sampled_from([None, 0, 0, 1, 10**9]),
            observed_at=moments,
        ),
        "top_up": part(applied_at=moments),
        "support": part(
            finding=st.sampled_from([None, "technical_failure", "no_failure"]),
            found_at=moments,
            restored_at=moments,
            fair_use_violated=st.booleans(),
            buyer_caused_delay=st.sampled_from([None, True, False]),
            legal_rule=st.sampled_from([None, None, "a law"]),
        ),
        "request": st.fixed_dictionaries(
            {"received_at": certain, "reason": st.sampled_from(get_args(Reason)), "provided": maybe_all}
        ),
        "now": moments,
    }
)


def known(value: JsonObject, name: str, field: str) -> Json:
    return (value[name] or {}).get(field)


def forbidden(value: JsonObject) -> str | None:
    """A clause that forbids paying for what was bought; None: none does."""
    zone = ZONES[value["storefront"]]
    request, provided = value["request"], set(value["request"]["provided"])

    def profile(field: str) -> Json:
        return known(value, "profile", field)

    if value["order"].get("kind") == "top_up":
        return None
    received_at, reason = request["received_at"], request["reason"]
    days = (received_at.astimezone(zone).date() - PAID.astimezone(zone).date()).days
    state, used = profile("install_state") or "unknown", profile("used_bytes")
    started = bool(profile("activated_at") or used) or state in ("enabled", "disabled")
    deleted = bool(profile("deleted_at")) or state == "deleted"
    taken = bool(profile("downloaded_at") or profile("installed_at")) or started or deleted
    taken = taken or state in ("downloaded", "installed")
    delivered = known(value, "delivery", "delivered_at")
    never_made = profile("failed_at") and not (profile("generated_at") or taken or delivered or state != "unknown")
    finding, caused = known(value, "support", "finding"), known(value, "support", "buyer_caused_delay")
    waited_for = [received_at, known(value, "support", "found_at") if finding else None]
    since = max(moment for moment in waited_for if moment)
    stale = profile("observed_at") is None or profile("observed_at") < since
    doubt = not never_made and (stale or state == "unknown")
    uncounted = not never_made and (stale or used != 0)
    ours = (
        not delivered and not caused and (never_made or caused is False or not known(value, "delivery", "refused_at"))
    )
    confirmed = bool(profile("failed_at")) or finding == "technical_failure"
    if value["storefront"] == "qazaq-esim":
        named = ("incompatible_device", "sim_locked", "phone_settings", "no_coverage", "slow_data", "deleted_profile")
        clauses = {
            "RP 1": reason in named and not confirmed,
            "PO 5.3": deleted,
            "PO 6.2": known(value, "support", "fair_use_violated") and not never_made,
            "RP 2": not confirmed,
            "RP 2.3": started or doubt or uncounted,
            "RP 3": (days > 14 and not ours) or not {"order_number", "email", "reason"} <= provided,
        }
    elif value["storefront"] == "e-sim-onl":
        clauses = {
            "RC 1": taken or (bool(profile("revoked_at")) and not never_made) or (days > 30 and not ours),
            "RC 2": doubt or not {"order_number", "email"} <= provided,
            "RC 7": bool(delivered) and (bool(profile("expired_at")) or days > 180),
        }
    else:
        plan_ends_at = profile("plan_ends_at")
        over = bool(profile("expired_at")) or (plan_ends_at is not None and plan_ends_at <= received_at)
        clauses = {
            "RF 3.1": taken and (bool(used) or not confirmed),
            "RF 2.2": taken and uncounted,
            "RF 3.3": reason in ("scan_error", "lost_code", "deleted_profile") and not confirmed and bool(delivered),
            "RF 3.4": over and not never_made,
            "RF 3.5": known(value, "support", "fair_use_violated") and not never_made,
            "RF 4.2": not {"order_number", "full_name", "payment_date", "reason"} <= provided
            or not {"email", "phone"} & provided
            or (reason == "technical_failure" and "evidence" not in provided),
            "use is not known afresh": doubt and bool(delivered or profile("generated_at")) and uncounted,
        }
    return next((clause for clause, forbids in clauses.items() if forbids), None)


#: What stands above the clauses about the thing that was bought: surplus money, and the law.
ABOVE = {("RF", "2.4"), ("RF", "2.5"), ("§", "a law")}


@given(facts)
def test_nothing_that_a_clause_forbids_is_approved(value: JsonObject) -> None:
    decision = decide(Facts.model_validate(value))
    if decision.verdict == "approve" and (decision.grounds[0].document, decision.grounds[0].clause) not in ABOVE:
        assert forbidden(value) is None


@given(facts)
def test_a_decision_is_whole(value: JsonObject) -> None:
    decision = decide(Facts.model_validate(value))
    assert decision.grounds
    assert len({(ground.document, ground.clause) for ground in decision.grounds}) == len(decision.grounds)
    assert (decision.refund is not None) == (decision.verdict == "approve")
    assert bool(decision.missing) == (decision.verdict == "await_information")
    if decision.refund is not None:
        assert decision.refund == Facts.model_validate(value).order.paid
    for text in map(decision.explanation.text, LANGUAGES):
        assert "{" not in text
        assert all(f"{ground.document} {ground.clause}" in text for ground in decision.grounds)
    if decision.verdict == "await_support":
        # Support finds out whether there was a failure, or whose fault it is that a mailbox refused the code.
        refused_by_mailbox = known(value, "delivery", "refused_at") is not None
        open_fault = refused_by_mailbox and known(value, "support", "buyer_caused_delay") is None
        assert known(value, "support", "finding") is None or open_fault
    if decision.verdict == "await_restoration":
        assert value["storefront"] == "esimka"


uses = st.fixed_dictionaries(
    {},
    optional={
        "installed_at": certain,
        "activated_at": certain,
        "deleted_at": certain,
        "used_bytes": st.integers(1, 10**9),
        "observed_at": certain,
    },
)


@given(facts, uses)
def test_later_knowledge_of_use_never_turns_a_denial_into_an_approval(value: JsonObject, learned: JsonObject) -> None:
    before = decide(Facts.model_validate(value))
    after = decide(Facts.model_validate(value | {"profile": {**(value["profile"] or {}), **learned}}))
    if before.verdict == "deny":
        assert after.verdict == "deny"


@given(facts, st.randoms(use_true_random=False))
def test_the_order_of_facts_says_nothing(value: JsonObject, shuffle: random.Random) -> None:
    def mixed(part: object) -> Json:
        if not isinstance(part, dict):
            return part
        names = list(part)
        shuffle.shuffle(names)
        return {name: mixed(part[name]) for name in names}

    other = mixed(copy.deepcopy(value))
    shuffle.shuffle(other["request"]["provided"])
    other["request"]["provided"] *= 2
    assert decide(Facts.model_validate(other)) == decide(Facts.model_validate(value))


@given(facts)
def test_what_is_null_is_what_is_absent(value: JsonObject) -> None:
    def without(part: object) -> Json:
        if not isinstance(part, dict):
            return part
        return {name: without(one) for name, one in part.items() if one is not None}

    assert decide(Facts.model_validate(without(value))) == decide(Facts.model_validate(value))


@given(facts)
def test_json_and_back(value: JsonObject) -> None:
    """A stored decision can be taken again from its stored facts."""
    read = Facts.model_validate(value)
    assert decide(Facts.model_validate_json(read.model_dump_json())) == decide(read)


@pytest.mark.parametrize("storefront", sorted(ZONES))
def test_more_documents_never_hurt(storefront: str, make_facts: Callable[..., JsonObject]) -> None:
    """A complete request is judged the same, however much more came with it."""
    few = {"qazaq-esim": ["order_number", "email", "reason"], "e-sim-onl": ["order_number", "email"]}
    provided = few.get(storefront, ["order_number", "phone", "full_name", "payment_date", "reason"])
    every = decide(Facts.model_validate(make_facts(storefront, "changed_mind")))
    some = decide(Facts.model_validate(make_facts(storefront, "changed_mind", request={"provided": provided})))
    assert some == every


TAKEN = ("downloaded", "installed", "enabled", "disabled", "deleted")


@st.composite
def histories(draw: st.DrawFn) -> JsonObject:
    """All that an operator could know of one profile, without a contradiction, as of a late report."""
    state = draw(st.sampled_from(["released", *TAKEN]))
    began = state in ("enabled", "disabled") or (state == "deleted" and draw(st.booleans()))

    def since(happened: bool) -> datetime | None:
        return PAID + timedelta(hours=draw(st.integers(0, 400))) if happened else None

    return {
        "install_state": state,
        "downloaded_at": since(state in TAKEN),
        "installed_at": since(state in TAKEN[1:]),
        "activated_at": since(began),
        "deleted_at": since(state == "deleted"),
        "used_bytes": draw(st.sampled_from([0, 1, 4 * 10**9])) if began else 0,
        "observed_at": PAID + timedelta(days=400),
    }


FIELDS = ("install_state", "downloaded_at", "installed_at", "activated_at", "deleted_at", "used_bytes", "observed_at")


@given(facts, histories(), st.sets(st.sampled_from(FIELDS)), st.sets(st.sampled_from(FIELDS)))
def test_what_is_not_known_is_never_decided_as_if_it_were(
    value: JsonObject, history: JsonObject, forgotten: set[str], forgotten_too: set[str]
) -> None:
    """I15. Whoever knows less never approves, and never refuses, what more knowledge would decide otherwise."""
    records = {name: known(value, "profile", name) for name in ("failed_at", "expired_at", "revoked_at")}

    def verdict(unknown: set[str]) -> str:
        profile = {name: seen for name, seen in history.items() if name not in unknown}
        return decide(Facts.model_validate(value | {"profile": {"generated_at": PAID, **records, **profile}})).verdict

    less, more = verdict(forgotten | forgotten_too), verdict(forgotten)
    if less in ("approve", "deny"):
        assert more == less
