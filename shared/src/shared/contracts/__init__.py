"""The contracts between the services: one module per owner, one class per fact."""

from shared.contracts.base import EVENTS, Event, Iccid, Kind, Language, Money, OrderEvent, Plan
from shared.contracts.notifications import DeliveryFailed, QrDelivered
from shared.contracts.ordering import BuyerContact, FieldError, OrderPlaced, OrderRejected
from shared.contracts.payments import OrderPaid, PaymentFailed, RefundFailed, RefundSettled
from shared.contracts.provisioning import OperatorStatus, ProfileFailed, ProfileGenerated
from shared.contracts.refunds import Explanation, Ground, RefundApproved, RefundRequested
from shared.contracts.storefront import Buyer, OrderRequest, OrderSubmitted

__all__ = [
    "EVENTS",
    "Buyer",
    "BuyerContact",
    "DeliveryFailed",
    "Event",
    "Explanation",
    "FieldError",
    "Ground",
    "Iccid",
    "Kind",
    "Language",
    "Money",
    "OperatorStatus",
    "OrderEvent",
    "OrderPaid",
    "OrderPlaced",
    "OrderRejected",
    "OrderRequest",
    "OrderSubmitted",
    "PaymentFailed",
    "Plan",
    "ProfileFailed",
    "ProfileGenerated",
    "QrDelivered",
    "RefundApproved",
    "RefundFailed",
    "RefundRequested",
    "RefundSettled",
]
