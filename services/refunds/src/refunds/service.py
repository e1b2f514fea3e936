"""The wiring of refunds."""

from refunds import consumers
from refunds.api import case_router
from refunds.settings import Settings
from shared.clock import Clock
from shared.contracts import (
    DeliveryFailed,
    OrderPaid,
    ProfileFailed,
    ProfileGenerated,
    QrDelivered,
    RefundFailed,
    RefundSettled,
)
from shared.kernel.auth import StorefrontKeys
from shared.kernel.service import Service


def build(settings: Settings, *, clock: Clock | None = None) -> Service:
    """Refunds, ready to run."""
    service = Service("refunds", settings, clock=clock)
    service.consumes(
        {
            OrderPaid: consumers.order_paid,
            RefundSettled: consumers.refund_settled,
            RefundFailed: consumers.refund_failed,
            ProfileGenerated: consumers.profile_generated,
            ProfileFailed: consumers.profile_failed,
            QrDelivered: consumers.qr_delivered,
            DeliveryFailed: consumers.delivery_failed,
        }
    )
    keys = StorefrontKeys({agent: key.get_secret_value() for agent, key in settings.agent_keys.items()})
    service.serves(case_router(service.database, keys))
    return service
