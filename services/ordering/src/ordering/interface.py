"""Texts and examples of the OpenAPI document that FastAPI cannot derive from the code."""

import json

from shared.account_entry import entry_path
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
    "test": False,
    "account_url": f"https://account.example{entry_path(_PLACED['storefront'], _ID)}",
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
_CASE = "01937a3e-5c1f-7d43-9b1c-0f0f3e9a4b11"
_REFUND = "01937a3e-5c1f-7d43-9b1c-0f0f3e9a4b12"
_MONEY_BACK = {"amount": 300, "currency": "USD"}
_DETAILS = _DELIVERED | {
    "submission_id": "cart-8312",
    "placed_at": "2026-11-21T09:30:00Z",
    "payment": {
        "state": "paid",
        "paid_at": "2026-11-21T09:30:41Z",
        "failures": [{"at": "2026-11-21T09:30:11Z", "reason_code": 484}],
        "receipts": [
            {"kind": "sale", "issued_at": "2026-11-21T09:30:42Z", "url": "https://ofd.example/t/1"},
        ],
        "surplus": [{"at": "2026-11-21T09:30:55Z", "amount": {"amount": 990, "currency": "USD"}}],
    },
    "delivery": {
        "state": "delivered",
        "delivered_at": "2026-11-21T09:30:41.610000Z",
        "channel": "email",
        "failures": [{"at": "2026-11-21T09:30:41.300000Z", "smtp_code": 550}],
    },
    "esim": {
        "iccid": "8999999999999999999",
        "state": "enabled",
        "state_observed_at": "2026-11-22T09:00:00Z",
        "used_bytes": 1073741824,
        "total_bytes": 5368709120,
        "usage_observed_at": "2026-11-22T09:00:00Z",
        "usage_age_seconds": 1260,
        "valid_until": "2027-05-20T19:59:59Z",
        "plan_ends_at": "2026-12-21T10:00:00Z",
        "installed_at": "2026-11-21T09:40:00Z",
        "activated_at": "2026-11-21T10:00:00Z",
        "deleted_at": None,
        "revoked_at": None,
        "expired_at": None,
    },
    "refund_cases": [
        {
            "case_id": _CASE,
            "state": "approved",
            "requested_at": "2026-11-23T08:00:00Z",
            "reason": "technical_failure",
            "changed_at": "2026-11-24T08:00:00Z",
            "missing": [],
            "clauses": ["RF 2.2"],
        }
    ],
    "refunds": [
        {
            "refund_id": _REFUND,
            "case_id": _CASE,
            "surplus": False,
            "state": "settled",
            "amount": _MONEY_BACK,
            "approved_at": "2026-11-24T08:00:00Z",
            "settled_at": "2026-11-24T08:00:03Z",
            "credited_by": "2026-12-08",
        }
    ],
}
_LIST = {
    "orders": [
        {
            "order_id": _ID,
            "order_number": _PLACED["order_number"],
            "submission_id": "cart-8312",
            "kind": "esim",
            "status": "delivered",
            "placed_at": "2026-11-21T09:30:00Z",
            "price": _PLACED["price"],
            "plan": _PLACED["plan"],
            "iccid": "8999999999999999999",
            "test": False,
            "links": _ANSWER["links"],
        }
    ],
    "next_cursor": "AQAGNcJ1pM8AAZ3qk1Rkc3q9Yb1mZ0w",
}
_PLANS = {"plans": [{"plan": _PLACED["plan"], "price": _PLACED["price"]}]}
_DEVICES = {
    "devices": [
        {
            "maker": "Apple",
            "model": "iPhone XS",
            "since": 2018,
            "exceptions": [{"regions": ["CN"], "note": "Versions for China mainland have no eSIM."}],
            "source": {
                "url": "https://support.apple.com/en-us/109317",
                "says": "iPhone XS, XS Max, XR and later have eSIM.",
                "checked": None,
            },
        }
    ]
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
        Tag("search", "Orders of all shops, found by what a buyer can name.", (AGENT,)),
        Tag("fraud control", "Orders that wait for an agent before they can be paid (PP 4.5).", (AGENT,)),
    ),
    callers={
        "PUT /orders/{reference}/contact": (AGENT,),
        "POST /orders/{reference}/privacy-requests": (AGENT,),
        "GET /privacy/requests/{request_id}": (STOREFRONT, AGENT),
        "GET /privacy/requests/{request_id}/export": (STOREFRONT, AGENT),
        "GET /orders/{reference}": (STOREFRONT, OPERATIONS, AGENT),
        "GET /orders/{reference}/timeline": (STOREFRONT, OPERATIONS, AGENT),
    },
    examples={
        "POST /orders": Example(body=ORDER_REQUEST.model_dump(mode="json"), answer=_ANSWER, status=201),
        "GET /orders": Example(answer=_LIST),
        "GET /orders/{reference}": Example(answer=_DETAILS),
        "GET /plans": Example(answer=_PLANS),
        "GET /devices": Example(answer=_DEVICES),
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
