"""Orders as a shop sends them, each of another buyer."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from bench.record_log import Record
from local_stack.paths import shops_dir
from ordering.catalogue.models import Catalogue
from shared.contracts import OrderSubmitted, orders_topic
from shared.database import Outgoing
from shared.messaging.cloudevents import header_texts, to_wire
from shared.shops.reading import read_shops
from shared.telemetry.tracing import new_traceparent

SHOP = "esimka"


def order_bodies(count: int, *, first: int) -> list[dict[str, Any]]:
    """So many bodies of `POST /orders`; `first`: the number of the first buyer."""
    documents = Catalogue(read_shops(shops_dir()), datetime.now(UTC)).documents(SHOP)
    return [
        {
            "plan": "tr-5gb-30d",
            "buyer": {
                "name": "Bench Buyer",
                "email": f"buyer{number}@bench.example",
                "phone": f"+7701{number:07}",
                "language": "en",
            },
            "device_compatible": True,
            "offer_version": documents.offer,
            "privacy_version": documents.privacy,
        }
        for number in range(first, first + count)
    ]


def submissions(bodies: Iterable[Mapping[str, Any]]) -> list[Record]:
    """The same orders as records for Kafka. Their traces are not recorded."""
    now, records = datetime.now(UTC), []
    for order in bodies:
        submitted = OrderSubmitted(storefront=SHOP, submission_id=str(uuid4()), order=dict(order))
        outgoing = Outgoing(submitted, new_traceparent(sampled=False))
        headers = to_wire(header_texts(outgoing, now))
        records.append(Record(orders_topic(SHOP), submitted.key().encode(), outgoing.body, headers))
    return records
