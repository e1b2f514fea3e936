"""The client of shops speaks the interfaces that the services describe: every operation, and every type of event."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from esim_fulfilment import Buyer, Money, NewOrder, Order, RefundRequest, UnknownEvent
from esim_fulfilment.calls import Call
from esim_fulfilment.events import event_of
from esim_fulfilment.operations import Operations
from shared.testing.documents import Json, JsonObject

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "services/ordering/interfaces/updates").glob("*.example.json"))
ORDER = NewOrder(
    plan="p", buyer=Buyer(name="A", email="a@example.org", phone="+77011234567"), offer_version="1", privacy_version="1"
)
#: How each operation is called; `x` stands for an id.
SAMPLES: dict[str, tuple[tuple[object, ...], JsonObject]] = {
    "storefront": ((), {}),
    "plans": ((), {}),
    "devices": (("iphone",), {}),
    "place_order": ((ORDER,), {"idempotency_key": "k"}),
    "order": (("x",), {}),
    "orders": ((), {"status": "paid", "plan": "p", "email": "a@example.org", "search": "1", "page_size": 5}),
    "orders_csv": ((), {"status": "paid", "plan": "p", "email": "a@example.org", "search": "1"}),
    "timeline": (("x",), {"language": "en"}),
    "payment": (("x",), {"back_link": "https://shop.example", "language": "kk"}),
    "request_refund": (("x", RefundRequest(reason="other")), {}),
    "cancel_order": (("x",), {"email": "a@example.org"}),
    "refund_eligibility": (("x",), {}),
    "refund": (("x",), {"reason": "r", "idempotency_key": "k", "amount": Money(amount=1, currency="USD")}),
    "resend_code": (("x",), {"idempotency_key": "k"}),
    "send_chat_message": (("x", "hello"), {"idempotency_key": "k", "language": "kk", "file": ("a.png", b"1")}),
    "chat_answers": (("x",), {"after": 3}),
    "create_webhook_endpoint": (("https://shop.example",), {"types": ["order.paid"]}),
    "webhook_endpoints": ((), {}),
    "change_webhook_endpoint": (("x",), {"enabled": True}),
    "delete_webhook_endpoint": (("x",), {}),
    "rotate_webhook_secret": (("x",), {}),
    "send_test_webhook": (("x",), {}),
    "webhook_deliveries": (("x",), {"state": "failed", "limit": 5}),
    "redeliver_webhooks": ((), {"endpoint_id": "x"}),
}


def described(call: Call[Json]) -> JsonObject | None:
    """The operation in the OpenAPI document of its service."""
    document = json.loads((ROOT / f"services/{call.service}/interfaces/openapi.json").read_text())
    for path, operations in document["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "x", path), call.path) and call.method.lower() in operations:
            found: JsonObject = operations[call.method.lower()]
            return found
    return None


def test_every_operation_has_a_sample() -> None:
    assert set(SAMPLES) == {name for name in dir(Operations) if not name.startswith("_")}


@pytest.mark.parametrize("name", SAMPLES)
def test_an_operation_is_in_the_interface_with_its_parameters(name: str) -> None:
    args, kwargs = SAMPLES[name]
    call = getattr(Operations, name).describe(*args, **kwargs)
    operation = described(call)
    assert operation is not None, f"{call.method} {call.path} of {call.service}"
    parameters = {(one["in"], one["name"].lower()) for one in operation.get("parameters", ())}
    assert {("query", parameter) for parameter in call.params} <= parameters
    assert (call.json is not None) <= ("requestBody" in operation)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name.removesuffix(".example.json"))
def test_every_type_of_event_has_a_class_that_knows_its_fields(example: Path) -> None:
    event = event_of("id", json.loads(example.read_text()))
    assert not isinstance(event, UnknownEvent)
    assert event.data.model_extra == {}


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 24


def test_an_order_of_the_client_has_every_field_of_the_answer() -> None:
    document = json.loads((ROOT / "services/ordering/interfaces/openapi.json").read_text())
    operation = described(Operations.order.describe("x"))
    assert operation is not None
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert list(_without_field(Order, schema, document)) == ["links"]


def _without_field(model: type[BaseModel], schema: JsonObject, document: JsonObject) -> Iterator[str]:
    """Fields of a schema, and of the schemas in it, that the model of the client has no attribute for."""
    for name, field in _object(schema, document)["properties"].items():
        if name not in model.model_fields:
            yield name
            continue
        inner = _object(field, document)
        for candidate in _models(model.model_fields[name].annotation) if inner.get("properties") else ():
            yield from (f"{name}.{missing}" for missing in _without_field(candidate, inner, document))


def _object(schema: JsonObject, document: JsonObject) -> JsonObject:
    """The schema of an object, behind a reference, in a list, or beside null."""
    if "$ref" in schema:
        return _object(document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], document)
    if "items" in schema:
        return _object(schema["items"], document)
    one_of = [_object(option, document) for option in schema.get("anyOf", ())]
    return next((option for option in one_of if option.get("properties")), schema)


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
