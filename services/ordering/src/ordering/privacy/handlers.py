"""Records which services confirmed the erasure of a buyer."""

from collections.abc import Mapping, Sequence

from ordering.privacy.actions import confirm_erasures
from ordering.privacy.models import ConfirmedErasure
from shared.contracts import (
    BuyerErased,
    Event,
    NotificationsBuyerErased,
    PaymentsBuyerErased,
    ProvisioningBuyerErased,
    RefundsBuyerErased,
)
from shared.database import Tx
from shared.messaging.consumer import Handler, Received


def _erased_by(service: str) -> Handler:
    """A handler that records this service's confirmations."""

    async def handle(tx: Tx, batch: Sequence[Received[BuyerErased]]) -> None:
        confirmations = [
            ConfirmedErasure(received.event.buyer_id, received.event.kept, received.event.erased_at)
            for received in batch
        ]
        await confirm_erasures(tx, service, confirmations)

    return handle


HANDLERS: Mapping[type[Event], Handler] = {
    PaymentsBuyerErased: _erased_by("payments"),
    ProvisioningBuyerErased: _erased_by("provisioning"),
    NotificationsBuyerErased: _erased_by("notifications"),
    RefundsBuyerErased: _erased_by("refunds"),
}
