"""Texts and examples of the OpenAPI document that FastAPI cannot derive from the code."""

import json

from shared.contracts.examples import EXAMPLES, ORDER_REQUEST
from shared.contracts.ordering import OrderPlaced
from shared.interfaces.description import AGENT, OPERATIONS, STOREFRONT, Example, Interface, Tag

_PLACED = json.loads(EXAMPLES[OrderPlaced.topic].model_dump_json())
_ID = _PLACED["order_id"]
_ANSWER = {
    "order_id": _ID,
    "order_number": _PLACED["order_number"],
    "status": "placed",
    "price": _PLACED["price"],
    "plan": _PLACED["plan"],
    "links": {"self": f"/orders/{_ID}", "timeline": f"/orders/{_ID}/timeline"},
}
_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
_DELIVERED = _ANSWER | {
    "status": "delivered",
    "kind": "esim",
    "facts": {
        "order_placed": "2026-11-21T09:30:00Z",
        "order_paid": "2026-11-21T09:30:41Z",
        "profile_generated": "2026-11-21T09:30:41.240000Z",
        "qr_delivered": "2026-11-21T09:30:41.610000Z",
    },
    "trace_id": _TRACE,
    "trace_url": None,
}
_TIMELINE = [
    {
        "at": "2026-11-21T13:30:41.610000+04:00",
        "fact": "qr_delivered",
        "sentence": "The QR code was delivered by e-mail.",
        "trace_id": _TRACE,
        "span_id": "00f067aa0ba902b7",
        "trace_url": None,
    }
]

_ENDPOINT = {
    "endpoint_id": "019aa5b0-3b10-7d55-8e6f-1d7c2a0b8f32",
    "url": "https://shop.example/hooks",
    "description": "main",
    "types": ["order.paid"],
    "created_at": "2026-11-21T09:00:00Z",
    "enabled": True,
    "disabled_at": None,
    "disabled_reason": None,
    "failures": 0,
    "failing_since": None,
    "paused_until": None,
    "succeeded_at": None,
}

INTERFACE = Interface(
    description=(
        "Accepts orders from storefronts, serves the catalogue, and shows an order's status and timeline.\n\n"
        "A shop's server calls with the shop's API key. It reads plans, prices and document "
        "versions from `GET /storefront`, places the order with an `Idempotency-Key` (the same on every retry), "
        "requests the bank's page from payments, and can read the order's status and timeline at any time. The same "
        "order can be submitted over Kafka instead: topic `storefront.<shop>.orders`."
    ),
    tags=(
        Tag("orders", "Placing orders, and reading their status.", (STOREFRONT,)),
        Tag("catalogue", "What the calling shop sells, and under which terms.", (STOREFRONT,)),
        Tag(
            "rights",
            "Corrected contact data (PP 6.1); export, block and erasure (PP 6.2), by code or by an agent who has "
            "identified the person.",
            (STOREFRONT,),
        ),
        Tag("keys", "The API keys of shops, created and revoked by operations people.", (OPERATIONS,)),
        Tag(
            "webhooks",
            "What the shop hears about its orders: endpoints, secrets, delivery log, tests and redelivery. Webhooks "
            "follow Standard Webhooks 1.0; each type has a JSON Schema in `interfaces/updates`.",
            (STOREFRONT,),
        ),
        Tag("fraud control", "Orders that wait for an agent before they can be paid (PP 4.5).", (AGENT,)),
    ),
    callers={
        "PUT /orders/{reference}/contact": (AGENT,),
        "POST /orders/{reference}/privacy-requests": (AGENT,),
        "GET /privacy/requests/{request_id}": (STOREFRONT, AGENT),
        "GET /privacy/requests/{request_id}/export": (STOREFRONT, AGENT),
        "GET /orders/{reference}": (STOREFRONT, OPERATIONS),
        "GET /orders/{reference}/timeline": (STOREFRONT, OPERATIONS),
    },
    examples={
        "POST /orders": Example(body=ORDER_REQUEST.model_dump(mode="json"), answer=_ANSWER, status=201),
        "GET /orders/{reference}": Example(answer=_DELIVERED),
        "GET /orders/{reference}/timeline": Example(answer=_TIMELINE),
        "POST /webhook-endpoints": Example(
            body={"url": "https://shop.example/hooks", "types": ["order.paid"], "description": "main"},
            answer=_ENDPOINT | {"secret": "whsec_ZXhhbXBsZSBzZWNyZXQgb2YgMzIgYnl0ZXMhISEhISE="},
            status=201,
        ),
        "GET /webhook-endpoints": Example(answer=[_ENDPOINT]),
        "PATCH /webhook-endpoints/{endpoint_id}": Example(body={"types": ["order.paid"]}, answer=_ENDPOINT),
        "POST /webhook-endpoints/{endpoint_id}/test": Example(
            body={"type": "order.paid"},
            answer={"delivered": True, "status": 204, "latency_ms": 41, "answer": "", "error": None},
        ),
        "POST /webhook-redeliveries": Example(
            body={"since": "2026-11-21T09:00:00Z", "undelivered_only": True},
            answer={"deliveries": 12, "continue_after": None},
            status=202,
        ),
    },
)
