"""The client of a shop of the eSIM order fulfilment.

    from esim_fulfilment import Addresses, Client

    with Client(key, Addresses.behind("https://api.example")) as client:
        print(client.storefront().name)

`AsyncClient` has the same methods, to be awaited. `verify_webhook` reads what the service sends to the shop.
"""

from esim_fulfilment.calls import Page
from esim_fulfilment.chat_models import ChatAnswer
from esim_fulfilment.client import Addresses, AsyncClient, Client
from esim_fulfilment.errors import (
    AlreadyPaidError,
    AuthenticationError,
    ConflictError,
    ForbiddenError,
    FulfilmentError,
    GoneError,
    IdempotencyKeyReusedError,
    InvalidRequestError,
    InvalidWebhookError,
    MissingScopeError,
    NotFoundError,
    OutdatedDocumentsError,
    PaymentLapsedError,
    Problem,
    ProblemError,
    RateLimitedError,
    ServiceError,
    UnexpectedAnswerError,
    UnreachableError,
)
from esim_fulfilment.events import AnyEvent, BuyerErased, EsimEvent, Event, OrderEvent, RefundEvent, UnknownEvent
from esim_fulfilment.models import (
    Buyer,
    CheckoutSession,
    Device,
    Documents,
    Esim,
    ListedOrder,
    Money,
    NewOrder,
    Offer,
    Order,
    PaymentObject,
    PlacedOrder,
    Plan,
    Refund,
    Resend,
    Storefront,
    TimelineEntry,
)
from esim_fulfilment.refund_models import Decision, Eligibility, RefundCase, RefundRequest
from esim_fulfilment.retries import RetryPolicy
from esim_fulfilment.webhook_models import CreatedWebhookEndpoint, WebhookDelivery, WebhookEndpoint, WebhookSecret
from esim_fulfilment.webhooks import verify_webhook

__all__ = [
    "Addresses",
    "AlreadyPaidError",
    "AnyEvent",
    "AsyncClient",
    "AuthenticationError",
    "Buyer",
    "BuyerErased",
    "ChatAnswer",
    "CheckoutSession",
    "Client",
    "ConflictError",
    "CreatedWebhookEndpoint",
    "Decision",
    "Device",
    "Documents",
    "Eligibility",
    "Esim",
    "EsimEvent",
    "Event",
    "ForbiddenError",
    "FulfilmentError",
    "GoneError",
    "IdempotencyKeyReusedError",
    "InvalidRequestError",
    "InvalidWebhookError",
    "ListedOrder",
    "MissingScopeError",
    "Money",
    "NewOrder",
    "NotFoundError",
    "Offer",
    "Order",
    "OrderEvent",
    "OutdatedDocumentsError",
    "Page",
    "PaymentLapsedError",
    "PaymentObject",
    "PlacedOrder",
    "Plan",
    "Problem",
    "ProblemError",
    "RateLimitedError",
    "Refund",
    "RefundCase",
    "RefundEvent",
    "RefundRequest",
    "Resend",
    "RetryPolicy",
    "ServiceError",
    "Storefront",
    "TimelineEntry",
    "UnexpectedAnswerError",
    "UnknownEvent",
    "UnreachableError",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookSecret",
    "verify_webhook",
]
