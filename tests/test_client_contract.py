"""The client of shops speaks the interfaces that the services describe: every operation, and every type of event."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from esim_fulfilment import Buyer, Money, NewOrder, RefundRequest, UnknownEvent
from esim_fulfilment.calls import Call
from esim_fulfilment.events import event_of
from esim_fulfilment.operations import Operations

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "services/ordering/interfaces/updates").glob("*.example.json"))
ORDER = NewOrder(
    plan="p", buyer=Buyer(name="A", email="a@example.org", phone="+77011234567"), offer_version="1", privacy_version="1"
)
#: How each operation is called; `x` stands for an id.
SAMPLES: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
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
    "create_webhook_endpoint": (("https://shop.example",), {"types": ["order.paid"]}),
    "webhook_endpoints": ((), {}),
    "change_webhook_endpoint": (("x",), {"enabled": True}),
    "delete_webhook_endpoint": (("x",), {}),
    "rotate_webhook_secret": (("x",), {}),
    "send_test_webhook": (("x",), {}),
    "webhook_deliveries": (("x",), {"state": "failed", "limit": 5}),
    "redeliver_webhooks": ((), {"endpoint_id": "x"}),
}


def described(call: Call[Any]) -> dict[str, Any] | None:
    """The operation in the OpenAPI document of its service."""
    document = json.loads((ROOT / f"services/{call.service}/interfaces/openapi.json").read_text())
    for path, operations in document["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "x", path), call.path) and call.method.lower() in operations:
            found: dict[str, Any] = operations[call.method.lower()]
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
