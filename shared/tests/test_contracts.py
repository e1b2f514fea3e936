"""Contracts: committed schemas, compatible changes, CloudEvents on the wire."""

import contextlib
import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import RFC_4122, UUID

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from cloudevents.core.formats.json import JSONFormat
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts import EVENTS, OrderPaid
from shared.contracts.compatibility import breaks
from shared.contracts.schemas import committed, schema_of
from shared.database import Outgoing
from shared.ids import uuid7, uuid7_floor
from shared.messaging.cloudevents import (
    UnreadableError,
    header_texts,
    read_body,
    read_envelope,
    read_headers,
    to_wire,
)
from shared.sealed import CannotOpenError, Opener, Sealer, new_private_key
from shared.telemetry.tracing import new_traceparent, trace_id
from shared.testing.documents import JsonObject
from shared.testing.facts import paid
from shared.values import traceparent

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
Change = Callable[[JsonObject], object]


@pytest.mark.parametrize("topic", sorted(EVENTS))
def test_the_committed_schema_is_what_the_code_says(topic: str) -> None:
    assert committed(EVENTS[topic]) == json.loads(json.dumps(schema_of(EVENTS[topic]))), "run `make schemas`"


def altered(change: Change) -> list[str]:
    old = schema_of(OrderPaid)
    new = copy.deepcopy(old)
    change(new)
    return breaks(old, new)


def test_an_optional_field_may_be_added() -> None:
    assert altered(lambda s: s["properties"].update(note={"type": "string"})) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda s: s["properties"].pop("invoice_id"), "removed"),
        (lambda s: s["required"].remove("invoice_id"), "no longer always there"),
        (lambda s: (s["properties"].update(n={"type": "string"}), s["required"].append("n")), "newly required"),
        (lambda s: s["properties"]["invoice_id"].update(type="integer"), "type was"),
        (lambda s: s["$defs"]["Money"]["properties"]["amount"].update(type="string"), "paid.amount"),
        (lambda s: s["properties"]["kind"].update(enum=["esim"]), "enum was"),
        (lambda s: s["required"].append("iccid"), "now required"),
        (lambda s: s["properties"]["invoice_id"].update(maxLength=5), "maxLength was"),
        (lambda s: s.update(additionalProperties=False), "additionalProperties was"),
    ],
)
def test_changes_that_break_the_other_side_are_found(change: Change, word: str) -> None:
    assert word in " ".join(altered(change))


def test_headers_are_cloudevents_to_the_official_sdk() -> None:
    outgoing = Outgoing(paid(), new_traceparent(sampled=True))
    headers = to_wire(header_texts(outgoing, NOW))
    message = KafkaMessage(dict(headers), b"key", outgoing.body or b"")
    event = from_binary_event(message, JSONFormat())
    assert event.get_id() == str(outgoing.id)
    assert event.get_type() == "payments.order-paid.v1"
    assert event.get_dataschema() == "urn:esim:event:payments.order-paid:1.0"
    assert event.get_source() == "/services/payments"
    assert event.get_time() == NOW


def test_an_event_survives_the_wire() -> None:
    outgoing = Outgoing(paid(), new_traceparent(sampled=True))
    texts = read_headers(to_wire(header_texts(outgoing, NOW)))
    envelope = read_envelope(texts, OrderPaid.topic, NOW)
    assert (envelope.id, envelope.time, envelope.trace) == (outgoing.id, NOW, outgoing.trace)
    assert read_body(OrderPaid.topic, envelope.type, outgoing.body or b"") == outgoing.event


def test_unknown_fields_of_newer_writers_are_ignored() -> None:
    body = json.loads(paid().model_dump_json()) | {"added_later": 1}
    read_body(OrderPaid.topic, OrderPaid.ce_type(), json.dumps(body).encode())


def test_a_refusal_names_fields_and_repeats_no_value() -> None:
    body = json.loads(paid().model_dump_json()) | {"order_number": "secret@example.org"}
    with pytest.raises(UnreadableError) as refused:
        read_body(OrderPaid.topic, OrderPaid.ce_type(), json.dumps(body).encode())
    assert "order_number" in refused.value.detail
    assert "secret" not in str(refused.value)


@given(
    st.lists(
        st.tuples(st.one_of(st.none(), st.text(max_size=5), st.binary(max_size=5)), st.one_of(st.none(), st.binary()))
    )
)
def test_any_headers_can_be_read(headers: list[tuple[str | bytes | None, bytes | None]]) -> None:
    texts = read_headers(headers)
    with contextlib.suppress(UnreadableError):
        read_envelope(texts, "t", NOW)


@given(st.binary(max_size=200))
def test_any_body_is_a_fact_or_a_typed_refusal(body: bytes) -> None:
    with contextlib.suppress(UnreadableError):
        read_body(OrderPaid.topic, OrderPaid.ce_type(), body)


@given(st.text(max_size=60))
def test_only_traceparents_are_traceparents(text: str) -> None:
    assert traceparent.parse(text) is None
    assert trace_id(text) is None


def test_a_sealed_value_opens_for_its_recipient_alone() -> None:
    owner, stranger = Opener(new_private_key()), Opener(new_private_key())
    sealed = Sealer("notifications", owner.public_key).seal(b"LPA:1$smdp.example$CODE")
    assert owner.open(sealed) == b"LPA:1$smdp.example$CODE"
    assert "CODE" not in sealed.model_dump_json()
    with pytest.raises(CannotOpenError):
        stranger.open(sealed)


def test_ids_sort_as_they_were_created() -> None:
    ids = [uuid7() for _ in range(10_000)]
    assert ids == sorted(set(ids))
    assert {(each.version, each.variant) for each in ids} == {(7, RFC_4122)}


def test_uuid7_floor_bounds_ids_of_its_moment() -> None:
    before = uuid7_floor(datetime.now(UTC))
    assert before <= uuid7()
    assert isinstance(before, UUID)
    assert before.version == 7
