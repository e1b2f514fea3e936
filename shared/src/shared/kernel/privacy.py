"""Export and erasure of a buyer's data in every service (PP 6.2).

A service names its statements; this module runs them, clears the core tables and publishes the confirmation.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header
from pydantic import SecretStr

from shared.contracts import BuyerContact, BuyerErased, BuyerErasureRequested
from shared.database import Database, Tx
from shared.kernel.auth import ApiKeys
from shared.kernel.problems import Problem
from shared.messaging import dead_letters
from shared.messaging.consumer import Handler, Received, Tombstone
from shared.telemetry.logging import get_logger

log = get_logger(__name__)

#: Shows that a request to ordering comes from an order's account page, where whoever pressed the button holds the link
#: that was mailed. No shop's key can make it. Value: `page_proof`.
PAGE_PROOF = "X-Account-Page"


def page_proof(key: SecretStr, order_id: UUID) -> str:
    """What notifications shows ordering for an order's page. `key`: PRIVACY_KEY, which only our services have."""
    return hmac.new(key.get_secret_value().encode(), b"account page" + order_id.bytes, hashlib.sha256).hexdigest()


def forgets(event_class: type[BuyerErased], statements: Sequence[str], *, kept: Sequence[str] = ()) -> Handler:
    """A handler of erasure requests: runs each statement with `:buyers` (uuid[]), then confirms.

    `kept` names what the law requires this service to keep, without personal data. A repetition changes nothing: the
    statements delete what is there, and the requesting service keeps the first confirmation.
    """

    async def handle(tx: Tx, batch: Sequence[Received[BuyerErasureRequested]]) -> None:
        buyers = sorted({received.event.buyer_id for received in batch}, key=lambda buyer: buyer.int)
        # First, because that waits for a redrive of them, whose effects are then erased with the rest.
        await dead_letters.delete(tx, BuyerContact.topic, [str(buyer) for buyer in buyers])
        for statement in statements:
            await tx.execute(statement, buyers=buyers)
        for received in batch:
            request = received.event
            confirmed = event_class(
                buyer_id=request.buyer_id, request_id=request.request_id, kept=tuple(kept), erased_at=tx.now
            )
            tx.publish(confirmed, trace=received.trace)

    return handle


def erased_buyers(batch: Sequence[Tombstone]) -> list[UUID]:
    """The buyers that tombstones of `ordering.buyer-contact` name. A key that is no id is logged and left out."""
    buyers = set()
    for tombstone in batch:
        try:
            buyers.add(UUID(tombstone.key))
        except ValueError:
            log.warning("tombstone_without_buyer", event_id=str(tombstone.id))
    return sorted(buyers)


def exports(database: Database, key: SecretStr | None, queries: Mapping[str, str]) -> APIRouter:
    """`GET /privacy/buyers/{buyer_id}`: the rows of each query (run with `:buyer`), for the service that exports.

    Answers 503 where PRIVACY_KEY is not set, and 401 without it.
    """
    routes = APIRouter(tags=["privacy"])
    keys = ApiKeys({"ordering": key} if key else {}, asked="PRIVACY_KEY")

    @routes.get("/privacy/buyers/{buyer_id}", include_in_schema=key is not None)
    async def held(buyer_id: UUID, authorization: Annotated[str | None, Header()] = None) -> dict[str, Any]:
        """Everything this service holds of a buyer, by kind."""
        if key is None:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "export-not-configured", "Set PRIVACY_KEY to allow exports.")
        keys.holder(authorization)
        async with database.reading() as tx:
            return {name: (await tx.execute(sql, buyer=buyer_id)).mappings() for name, sql in queries.items()}

    return routes
