"""Routes, the next operator, the sentence of a failure, and settings of operators."""

import json
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from provisioning.clients.models import refused
from provisioning.generation.models import Attempt, AttemptState, ProvisionPayload
from provisioning.generation.rules.failover import gave_up, in_the_end, next_offer
from provisioning.operators.rules.routing import ANY, Offer, Routes
from provisioning.settings import Settings
from shared.contracts import OperatorStatus
from shared.sealed import Opener, new_private_key
from shared.task_payload import parse, stored
from shared.testing.documents import FieldValue, JsonObject

STOCK_OUT = (OperatorStatus(subject_code="8.2.5", reason_code="3.7"),)
KEY = Opener(new_private_key()).public_key
A, B = (
    {"name": "a", "url": "http://a.example"},
    {"name": "b", "adapter": "instant"},
)


def test_the_most_particular_route_wins() -> None:
    routes = Routes(
        {
            "esimka": {"TR-STD": [("b", "turk-5"), ("a", None)], ANY: [("b", None)]},
            ANY: {"TR-STD": [("a", "TR"), ("c", None)]},
        },
        "a",
    )
    assert routes.offers("esimka", "TR-STD") == (Offer("b", "turk-5"), Offer("a", "TR-STD"))
    assert routes.offers("esimka", "KZ") == (Offer("b", "KZ"),)
    assert routes.offers("qazaq-esim", "TR-STD") == (Offer("a", "TR"), Offer("c", "TR-STD"))
    assert routes.offers("qazaq-esim", "KZ") == (Offer("a", "KZ"),)
    assert routes.storefronts("b") == {"esimka"}
    assert routes.storefronts("c") == {ANY}


def _tried(operator: str, state: AttemptState) -> Attempt:
    return Attempt(operator=operator, state=state, reason="HTTP 503")


def test_the_next_operator_is_the_best_that_may_be_tried() -> None:
    offers = [Offer(name, "X") for name in "abc"]

    def following(current: str, tried: list[Attempt], unavailable: str = "") -> str | None:
        found = next_offer(offers, current, tried, lambda name: name in unavailable)
        return found.operator if found else None

    assert following("a", []) == "b"
    assert following("a", [], unavailable="b") == "c"
    assert following("a", [], unavailable="bc") is None
    assert following("b", [_tried("a", "waiting")]) == "a"
    assert following("b", [_tried("a", "refused")]) == "c"
    assert following("b", [_tried("a", "abandoned"), _tried("c", "refused")]) is None


@given(
    st.sampled_from("abcd"),
    st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["waiting", "refused", "abandoned"])),
    st.sets(st.sampled_from("abcd")),
)
def test_an_operator_that_may_hold_something_is_never_tried_again(
    current: str, states: dict[str, AttemptState], unavailable: set[str]
) -> None:
    tried = [_tried(name, state) for name, state in states.items()]
    found = next_offer([Offer(name, "X") for name in "abcd"], current, tried, unavailable.__contains__)
    if found is not None:
        assert found.operator != current
        assert found.operator not in unavailable
        assert states.get(found.operator, "waiting") == "waiting"


def test_the_sentence_names_every_operator_and_its_codes() -> None:
    last = gave_up("HTTP 503", (), left_behind=False)
    alone = refused("The operator has no such profile in stock.", STOCK_OUT)
    assert in_the_end("a", alone, []) == (alone.reason, STOCK_OUT)
    reason, statuses = in_the_end(
        "b", last, [Attempt(operator="a", state="refused", reason=alone.reason, statuses=STOCK_OUT)]
    )
    assert "a: The operator has no such profile in stock (8.2.5/3.7); b: " in reason
    assert "HTTP 503" in reason
    assert statuses == STOCK_OUT


#: A payload as release 1.0.1 stores and reads it.
STORED = {
    "order_number": "10000001",
    "storefront": "esimka",
    "plan": {
        "id": "tr-5gb",
        "title": "TR",
        "coverage": ["TR"],
        "data_mb": 5,
        "validity_days": 30,
        "profile_type": "TR-STD",
    },
    "operator": "b",
    "profile_type": "turk-5",
    "iccid": None,
    "matching_id": None,
    "buyer_id": "0197a1f0-0000-7000-8000-000000000001",
    "paid_at": "2026-05-01T12:00:00.000001+00:00",
    "deadline": "2026-05-02T12:00:00.000001+00:00",
    "tried": [
        {
            "operator": "a",
            "state": "abandoned",
            "reason": "HTTP 503",
            "statuses": [{"subject_code": "8.2.5", "reason_code": "3.7", "message": ""}],
        }
    ],
    "moves": 1,
}


def test_a_stored_payload_of_the_last_release_is_read_and_written_with_the_same_keys() -> None:
    payload = parse(ProvisionPayload, STORED)
    assert payload.tried == (Attempt(operator="a", state="abandoned", reason="HTTP 503", statuses=STOCK_OUT),)
    again = json.loads(stored(payload))
    assert again.keys() == STORED.keys()
    assert again["tried"] == STORED["tried"]
    assert (again["iccid"], again["plan"], again["buyer_id"]) == (None, STORED["plan"], STORED["buyer_id"])
    for moment in ("paid_at", "deadline"):
        assert datetime.fromisoformat(again[moment]) == datetime.fromisoformat(str(STORED[moment]))


def _settings(**fields: FieldValue) -> Settings:
    return Settings(
        database_url="postgresql+psycopg://x@localhost/x",
        kafka_bootstrap_servers="localhost:1",
        notifications_seal_public_key=KEY,
        **fields,
    )


def test_the_old_settings_describe_one_operator() -> None:
    [one] = _settings(operator_url="http://a.example", operator_timeout_seconds=3.0).all_operators()
    assert (one.name, one.adapter, one.url, one.timeout_seconds) == ("primary", "es2plus", "http://a.example", 3.0)
    [instant] = _settings(operator_adapter="instant").all_operators()
    assert instant.name == "instant"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "OPERATOR_URL"),
        ({"operators": [A, A]}, "same name"),
        ({"operators": [{"name": "a"}]}, "url is needed"),
        ({"operators": [A | {"tls_key": "/k"}]}, "belong together"),
        ({"operators": [A | {"iccid_prefix": "12"}]}, "ICCID_PREFIX"),
        ({"operators": [A], "routes": {"esimka": {"*": [{"operator": "b"}]}}}, "configured: b"),
        ({"operators": [A], "routes": {"esimka": {"*": [{"operator": "a"}, {"operator": "a"}]}}}, "none twice"),
        ({"operators": [A], "routes": {"esimka": {"*": []}}}, "at least one"),
        ({"operators": [A], "stock": [{"operator": "a", "profile_type": "X", "low": 3, "high": 2}]}, "low is above"),
        ({"operators": [A], "stock": [{"operator": "a", "profile_type": "X", "low": 1, "high": 2}] * 2}, "twice"),
        ({"operators": [A], "allowed_personal_fields": {"esimka": ["passport"]}}, "passport|email"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused_at_start(fields: JsonObject, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        _settings(**fields)
