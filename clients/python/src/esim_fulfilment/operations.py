"""Every operation of the interface, each described once. `Operations` makes methods of both clients of them."""

from base64 import b64encode
from datetime import datetime
from typing import cast

from pydantic import BaseModel, JsonValue, TypeAdapter

from esim_fulfilment.calls import Answer, Call, Operation, Page, PagedOperation, StreamedOperation, given, path
from esim_fulfilment.chat_models import ChatAnswer
from esim_fulfilment.models import (
    CheckoutSession,
    Device,
    Language,
    ListedOrder,
    Money,
    NewOrder,
    Offer,
    Order,
    PaymentObject,
    PlacedOrder,
    Resend,
    Storefront,
    TimelineEntry,
)
from esim_fulfilment.reading import adapted, model, nothing
from esim_fulfilment.refund_models import Eligibility, RefundCase, RefundRequest
from esim_fulfilment.webhook_operations import WebhookOperations


class _Orders(BaseModel):
    orders: tuple[ListedOrder, ...]
    next_cursor: str | None = None


class _Plans(BaseModel):
    plans: tuple[Offer, ...]


class _Devices(BaseModel):
    devices: tuple[Device, ...]


class _ChatAnswers(BaseModel):
    answers: tuple[ChatAnswer, ...]


_TIMELINE = TypeAdapter(list[TimelineEntry])
_OBJECT = TypeAdapter(dict[str, JsonValue])


def storefront() -> Call[Storefront]:
    """The shop that the key belongs to: its plans and prices, and the document versions that orders must name."""
    return Call("ordering", "GET", "/storefront", model(Storefront))


def plans() -> Call[tuple[Offer, ...]]:
    """What the shop sells now, with prices, in the sequence of its catalogue."""
    return Call("ordering", "GET", "/plans", _plans, cached=True)


def devices(search: str = "") -> Call[tuple[Device, ...]]:
    """Devices that support eSIM, by words of maker and model. One that is not listed may support it all the same."""
    return Call("ordering", "GET", "/devices", _devices, params=given(q=search or None), cached=True)


def place_order(order: NewOrder, *, idempotency_key: str, session: CheckoutSession | None = None) -> Call[PlacedOrder]:
    """Place an order.

    One idempotency key stands for one order, however often it is sent: store the key before the call, and use it again
    after a crash. Raises OutdatedDocumentsError, InvalidRequestError, IdempotencyKeyReusedError.
    """
    headers = {"idempotency-key": idempotency_key, **_session_headers(session)}
    body = order.model_dump(mode="json", exclude_none=True)
    return Call("ordering", "POST", "/orders", _placed, json=body, headers=headers)


def order(reference: str) -> Call[Order]:
    """An order by its id or number. Raises NotFoundError."""
    return Call("ordering", "GET", path("orders", reference), model(Order))


def orders(
    *,
    status: str | None = None,
    plan: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    email: str | None = None,
    search: str | None = None,
    page_size: int | None = None,
) -> Call[Page[ListedOrder]]:
    """The shop's orders, the newest first; further pages are asked for as they are needed.

    `since` (inclusive) and `until` (exclusive) bound the time of placing. `search` is an order's number or id, the
    shop's own submission id, an ICCID or an e-mail address, whole. Orders that arrive meanwhile move no page.
    """
    params = given(limit=page_size) | _filters(status, plan, since, until, email, search)
    return Call("ordering", "GET", "/orders", _orders, params=params)


def orders_csv(
    *,
    status: str | None = None,
    plan: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    email: str | None = None,
    search: str | None = None,
) -> Call[None]:
    """All orders that the filters of `orders` find as CSV (UTF-8, first line: names), in parts as they arrive.

    Nothing is held in memory: write each part to a file. Raises UnreachableError where the answer ends too early, so
    a file without an error is complete.
    """
    params = _filters(status, plan, since, until, email, search)
    return Call("ordering", "GET", "/orders.csv", nothing, params=params, headers={"accept": "text/csv"})


def timeline(reference: str, *, language: Language | None = None) -> Call[list[TimelineEntry]]:
    """What happened to an order, one sentence for each fact. In the shop's language where none is named."""
    params = {} if language is None else {"lang": language}
    return Call("ordering", "GET", path("orders", reference, "timeline"), adapted(_TIMELINE), params=params)


def payment(
    order_id: str, *, back_link: str = "", failure_back_link: str = "", language: Language | None = None
) -> Call[PaymentObject]:
    """The object for `halyk.pay()`, for an order by its id. After a failed attempt it opens a new one.

    `back_link` and `failure_back_link` are where the bank's page sends the buyer. Raises AlreadyPaidError,
    PaymentLapsedError. An order that was placed a moment ago may not have reached payments: that is retried.
    """
    body = {"back_link": back_link, "failure_back_link": failure_back_link}
    if language is not None:
        body["language"] = language
    return Call("payments", "POST", path("orders", order_id, "payment"), _payment_object, json=body)


def request_refund(reference: str, request: RefundRequest) -> Call[RefundCase]:
    """Ask for a refund on behalf of the buyer: opens a case, or joins the open one. Raises ConflictError."""
    body = request.model_dump(mode="json", exclude_none=True)
    return Call("refunds", "POST", path("orders", reference, "refund-requests"), model(RefundCase), json=body)


def cancel_order(reference: str, *, email: str) -> Call[RefundCase]:
    """Cancel an eSIM that is not installed, in shops whose terms allow it. Raises ConflictError.

    `email` is the order's: a seller's terms ask for it (RC 2), and without it the case waits for information.
    """
    where = path("orders", reference, "cancellation")
    return Call("refunds", "POST", where, model(RefundCase), json={"email": email})


def refund(reference: str, *, reason: str, idempotency_key: str, amount: Money | None = None) -> Call[RefundCase]:
    """Return money by the shop's own decision: `amount`, or without it all that is left of the payment.

    The whole is returned after the eSIM was revoked; with a part the buyer keeps it. `reason` is kept for agents.
    Raises ConflictError where less is left. One key stands for one refund, however often it is sent.
    """
    body: dict[str, JsonValue] = {"reason": reason}
    if amount is not None:
        body["amount"] = {"amount": amount.amount, "currency": amount.currency}
    headers = {"idempotency-key": idempotency_key}
    return Call("refunds", "POST", path("orders", reference, "refund"), model(RefundCase), json=body, headers=headers)


def resend_code(reference: str, *, idempotency_key: str) -> Call[Resend]:
    """Have the code of an order sent to its buyer again, at most three times a day. Raises RateLimitedError."""
    headers = {"idempotency-key": idempotency_key}
    where = path("orders", reference, "resend")
    return Call("notifications", "POST", where, model(Resend), headers=headers)


def send_chat_message(
    conversation_id: str,
    text: str = "",
    *,
    idempotency_key: str,
    language: Language | None = None,
    file: tuple[str, bytes] | None = None,
) -> Call[tuple[ChatAnswer, ...]]:
    """Hand in what a visitor of the shop's site wrote, from the shop's own server; the answer comes back at once.

    `conversation_id`: a UUID that the shop chooses for each visitor. `file`: name and content of a picture or PDF, at
    most 10 MiB. One key stands for one message, however often it is sent. Raises RateLimitedError.
    """
    body: dict[str, JsonValue] = {"text": text}
    if language is not None:
        body["language"] = language
    if file is not None:
        body["file"] = {"name": file[0], "content": b64encode(file[1]).decode()}
    headers = {"idempotency-key": idempotency_key}
    where = path("conversations", conversation_id, "messages")
    return Call("refunds", "POST", where, _chat_answers, json=body, headers=headers)


def chat_answers(conversation_id: str, *, after: int = 0) -> Call[tuple[ChatAnswer, ...]]:
    """The answers after a number, at most 100; also those that came later, from the policy or an agent.

    Raises NotFoundError where the conversation has no message, or is forgotten.
    """
    where = path("conversations", conversation_id, "messages")
    return Call("refunds", "GET", where, _chat_answers, params=given(after=after or None))


def refund_eligibility(reference: str) -> Call[Eligibility]:
    """What a request for a refund would be answered today, for each likely reason. Records nothing."""
    return Call("refunds", "GET", path("orders", reference, "refund-eligibility"), model(Eligibility))


class Operations(WebhookOperations):
    """The operations as methods. `Client` returns their results, `AsyncClient` returns awaitables."""

    storefront = Operation(storefront)
    plans = Operation(plans)
    devices = Operation(devices)
    place_order = Operation(place_order)
    order = Operation(order)
    orders = PagedOperation(orders)
    orders_csv = StreamedOperation(orders_csv)
    timeline = Operation(timeline)
    payment = Operation(payment)
    request_refund = Operation(request_refund)
    cancel_order = Operation(cancel_order)
    refund_eligibility = Operation(refund_eligibility)
    refund = Operation(refund)
    resend_code = Operation(resend_code)
    send_chat_message = Operation(send_chat_message)
    chat_answers = Operation(chat_answers)


def _payment_object(answer: Answer) -> PaymentObject:
    return cast(PaymentObject, _OBJECT.validate_json(answer.body))


def _filters(
    status: str | None,
    plan: str | None,
    since: datetime | None,
    until: datetime | None,
    email: str | None,
    search: str | None,
) -> dict[str, str]:
    moments = {"from": since, "to": until}
    return given(status=status, plan=plan, email=email, q=search) | {
        name: moment.isoformat() for name, moment in moments.items() if moment is not None
    }


def _placed(answer: Answer) -> PlacedOrder:
    placed = PlacedOrder.model_validate_json(answer.body)
    return placed.model_copy(update={"replayed": answer.headers.get("idempotent-replay") == "true"})


def _session_headers(session: CheckoutSession | None) -> dict[str, str]:
    if session is None:
        return {}
    values = {"x-forwarded-for": session.ip, "user-agent": session.user_agent, "referer": session.referrer}
    return {name: value for name, value in values.items() if value}


def _orders(answer: Answer) -> Page[ListedOrder]:
    page = _Orders.model_validate_json(answer.body)
    return Page(page.orders, page.next_cursor)


def _devices(answer: Answer) -> tuple[Device, ...]:
    return _Devices.model_validate_json(answer.body).devices


def _chat_answers(answer: Answer) -> tuple[ChatAnswer, ...]:
    return _ChatAnswers.model_validate_json(answer.body).answers


def _plans(answer: Answer) -> tuple[Offer, ...]:
    return _Plans.model_validate_json(answer.body).plans
