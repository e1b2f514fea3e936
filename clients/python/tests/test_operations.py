"""What is sent, what is read, and how a refusal becomes a typed error, with both clients."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from esim_fulfilment import (
    Addresses,
    AlreadyPaidError,
    AsyncClient,
    AuthenticationError,
    Buyer,
    CheckoutSession,
    Client,
    ConflictError,
    ForbiddenError,
    IdempotencyKeyReusedError,
    InvalidRequestError,
    MissingScopeError,
    NewOrder,
    NotFoundError,
    OutdatedDocumentsError,
    PaymentLapsedError,
    ProblemError,
    RateLimitedError,
    RefundRequest,
    ServiceError,
    UnexpectedAnswerError,
    UnreachableError,
)
from esim_fulfilment.testing import Reply, ScriptedService

if TYPE_CHECKING:
    from clients.python.tests.conftest import Ask


PLAN = {
    "id": "tr-5gb-30d",
    "title": "Turkey 5 GB, 30 days",
    "coverage": ["TR"],
    "data_mb": 5120,
    "validity_days": 30,
    "profile_type": "tr-data",
}
PLACED: dict[str, object] = {
    "order_id": "0198b3c4-0000-7000-8000-000000000001",
    "order_number": "10000001",
    "status": "placed",
    "price": {"amount": 499_000, "currency": "KZT"},
    "plan": PLAN,
}
ORDER = NewOrder(
    plan="tr-5gb-30d",
    buyer=Buyer(name="Anna Berg", email="anna@example.org", phone="+77011234567"),
    offer_version="PO-1",
    privacy_version="PP-1",
)


def test_an_order_is_sent_with_its_key_and_the_buyers_session(ask: "Ask", service: ScriptedService) -> None:
    service.replies = [Reply(201, PLACED, {"Idempotent-Replay": "true"})]
    placed = ask(
        "place_order",
        ORDER,
        idempotency_key="basket-1",
        session=CheckoutSession(ip="203.0.113.7", user_agent="Phone/1"),
    )
    (sent,) = service.received
    assert (sent.method, sent.path) == ("POST", "/orders")
    assert sent.headers["authorization"] == "Bearer a-key"
    assert sent.headers["idempotency-key"] == "basket-1"
    assert (sent.headers["x-forwarded-for"], sent.headers["user-agent"]) == ("203.0.113.7", "Phone/1")
    assert sent.json == {
        "plan": "tr-5gb-30d",
        "buyer": {"name": "Anna Berg", "email": "anna@example.org", "phone": "+77011234567", "language": "en"},
        "device_compatible": True,
        "kind": "esim",
        "offer_version": "PO-1",
        "privacy_version": "PP-1",
        "newsletter": False,
    }
    assert (placed.order_number, placed.price.amount, placed.replayed) == ("10000001", 499_000, True)


def test_a_chat_message_carries_its_file_and_its_answer_comes_back(ask: "Ask", service: ScriptedService) -> None:
    answer = {
        "number": 2,
        "text": "Why?",
        "language": "kk",
        "at": "2026-11-30T10:00:00Z",
        "buttons": [["A", "B"], ["C"]],
    }
    service.replies = [Reply(201, {"answers": [answer]}), Reply(200, {"answers": []})]
    (sent,) = ask(
        "send_chat_message", "c-1", "12345678", idempotency_key="m-1", language="kk", file=("a.png", b"\x89PNG")
    )
    assert ask("chat_answers", "c-1", after=2) == ()
    posted, read = service.received
    assert (posted.path, posted.headers["idempotency-key"]) == ("/conversations/c-1/messages", "m-1")
    assert posted.json == {"text": "12345678", "language": "kk", "file": {"name": "a.png", "content": "iVBORw=="}}
    assert (read.method, read.path) == ("GET", "/conversations/c-1/messages?after=2")
    assert (sent.number, sent.buttons, "Why" in repr(sent)) == (2, (("A", "B"), ("C",)), False)


def test_fields_and_statuses_of_a_newer_service_are_kept(ask: "Ask", service: ScriptedService) -> None:
    service.replies = [Reply(200, {**PLACED, "kind": "gift", "status": "wrapped", "ribbon": {"colour": "red"}})]
    order = ask("order", "10000001")
    assert (order.kind, order.status, order.model_extra["ribbon"]) == ("gift", "wrapped", {"colour": "red"})


def test_a_reference_is_one_segment_of_the_path(ask: "Ask", service: ScriptedService) -> None:
    service.replies = [Reply(404, {"type": "urn:problem:unknown-order"})]
    with pytest.raises(NotFoundError):
        ask("order", "../storefront?x=1")
    assert service.received[0].path == "/orders/..%2Fstorefront%3Fx%3D1"


def test_a_misspelt_field_of_an_order_is_an_error_before_anything_is_sent() -> None:
    with pytest.raises(ValueError, match="ofer_version"):
        NewOrder.model_validate({**ORDER.model_dump(), "ofer_version": "x"})


def test_personal_data_are_not_in_representations() -> None:
    request = RefundRequest(reason="other", full_name="Anna Berg", email="anna@example.org", circumstances="In Izmir")
    shown = repr([ORDER, request, CheckoutSession(ip="203.0.113.7")])
    assert not any(text in shown for text in ("Anna", "anna@", "+7701", "Izmir", "203.0"))


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (400, "malformed-json", InvalidRequestError),
        (401, "unknown-api-key", AuthenticationError),
        (403, "unknown-storefront", ForbiddenError),
        (403, "missing-scope", MissingScopeError),
        (404, "unknown-order", NotFoundError),
        (409, "outdated-documents", OutdatedDocumentsError),
        (409, "already-paid", AlreadyPaidError),
        (409, "something-new", ConflictError),
        (410, "payment-lapsed", PaymentLapsedError),
        (422, "invalid-order", InvalidRequestError),
        (422, "idempotency-key-reused", IdempotencyKeyReusedError),
        (429, "too-many-requests", RateLimitedError),
        (500, "internal-error", ServiceError),
        (418, "teapot", ProblemError),
    ],
)
def test_a_problem_document_becomes_a_typed_error(
    ask: "Ask", service: ScriptedService, status: int, kind: str, error: type[ProblemError]
) -> None:
    document = {
        "type": f"urn:problem:{kind}",
        "title": "No",
        "status": status,
        "detail": "Not like this.",
        "errors": [{"field": "buyer.email", "message": "is no address"}],
        "allowed": 3,
    }
    service.replies = [Reply(status, document)]
    with pytest.raises(error) as raised:
        ask("order", "10000001")
    assert type(raised.value) is error
    assert (raised.value.status, raised.value.kind) == (status, kind)
    assert [(each.field, each.message) for each in raised.value.errors] == [("buyer.email", "is no address")]
    assert raised.value.problem.extra == {"allowed": 3}


@pytest.mark.parametrize("body", [b"<html>502</html>", b"", b"[]", b'{"errors": 3, "detail": {}}', b"[" * 100_000])
def test_a_refusal_without_a_problem_document_is_an_error_of_its_status(
    ask: "Ask", service: ScriptedService, body: bytes
) -> None:
    service.replies = [Reply(404, body)]
    with pytest.raises(NotFoundError) as raised:
        ask("order", "10000001")
    assert raised.value.errors == ()


@pytest.mark.parametrize("body", [b"<html>Welcome</html>", b'{"order_number": 1}', b"\xff", b"{}"])
def test_a_success_that_cannot_be_read_is_an_error_without_its_content(
    ask: "Ask", service: ScriptedService, body: bytes
) -> None:
    service.replies = [Reply(200, body)]
    with pytest.raises(UnexpectedAnswerError, match="GET /orders/1: 200 with a body that cannot be read"):
        ask("order", "1")


def test_a_redirect_is_not_followed_with_the_key(ask: "Ask", service: ScriptedService) -> None:
    service.replies = [Reply(302, None, {"Location": "http://127.0.0.1:1/"})]
    with pytest.raises(ProblemError):
        ask("order", "1")
    assert len(service.received) == 1


@pytest.mark.parametrize(
    "trouble",
    [
        Reply(503, {"type": "urn:problem:try-again"}, {"Retry-After": "0"}),
        Reply(502, b"bad gateway"),
        Reply(504, b""),
        Reply(429, {"type": "urn:problem:too-many-requests"}, {"Retry-After": "0"}),
        Reply(404, {"type": "urn:problem:order-not-known"}, {"Retry-After": "0"}),
        Reply(cut=True),
    ],
    ids=["503", "502", "504", "429", "retry-after", "cut"],
)
def test_what_is_temporary_is_repeated_with_the_same_key_and_body(
    ask: "Ask", service: ScriptedService, trouble: Reply
) -> None:
    service.replies = [trouble, trouble, Reply(201, PLACED)]
    assert ask("place_order", ORDER, idempotency_key="basket-2").order_number == "10000001"
    assert len(service.received) == 3
    assert {(sent.headers["idempotency-key"], sent.body) for sent in service.received} == {
        ("basket-2", service.received[0].body)
    }


def test_what_stays_unreachable_is_one_error(ask: "Ask", service: ScriptedService) -> None:
    service.replies = [Reply(cut=True)]
    with pytest.raises(UnreachableError):
        ask("place_order", ORDER, idempotency_key="basket-3")
    assert len(service.received) == 5


def test_a_refusal_is_not_repeated(ask: "Ask", service: ScriptedService) -> None:
    service.replies = [Reply(500, {"type": "urn:problem:internal-error"})]
    with pytest.raises(ServiceError):
        ask("storefront")
    assert len(service.received) == 1


LISTED = {**PLACED, "kind": "esim", "placed_at": "2026-11-29T12:00:00Z"}


def listed(number: int) -> dict[str, object]:
    return {**LISTED, "order_number": str(number)}


def test_an_iteration_goes_through_all_pages_with_the_same_filters(ask: "Ask", service: ScriptedService) -> None:
    service.replies = [
        Reply(200, {"orders": [listed(3), listed(2)], "next_cursor": "a b"}),
        Reply(200, {"orders": [listed(1)], "next_cursor": None}),
    ]
    orders = ask("orders", status="paid", since=datetime(2026, 11, 1, tzinfo=UTC), page_size=2)
    assert [order.order_number for order in orders] == ["3", "2", "1"]
    filters = "/orders?limit=2&status=paid&from=2026-11-01T00%3A00%3A00%2B00%3A00"
    assert [sent.path for sent in service.received] == [filters, f"{filters}&cursor=a+b"]


def test_a_cursor_that_leads_to_itself_ends_the_list(ask: "Ask", service: ScriptedService) -> None:
    service.replies = [Reply(200, {"orders": [listed(1)], "next_cursor": "same"})]
    assert len(ask("orders")) == 2


def test_deliveries_are_paged_by_their_own_parameter(ask: "Ask", service: ScriptedService) -> None:
    delivery = {"update_id": "u1", "type": "order.paid", "state": "delivered", "attempts": 1}
    service.replies = [
        Reply(200, {"deliveries": [delivery], "next": "u1"}),
        Reply(200, {"deliveries": [], "next": None}),
    ]
    assert [each.update_id for each in ask("webhook_deliveries", "e1")] == ["u1"]
    assert service.received[1].path == "/webhook-endpoints/e1/deliveries?before=u1"


def test_an_endpoint_is_not_created_twice_for_one_call(ask: "Ask", service: ScriptedService) -> None:
    service.replies = [Reply(cut=True)]
    with pytest.raises(UnreachableError):
        ask("create_webhook_endpoint", "https://shop.example/webhooks")
    assert len(service.received) == 1


def test_a_secret_is_not_in_the_representation(ask: "Ask", service: ScriptedService) -> None:
    created = {"endpoint_id": "e1", "url": "https://shop.example", "enabled": True, "secret": "whsec_c2VjcmV0"}
    service.replies = [Reply(201, created)]
    endpoint = ask("create_webhook_endpoint", "https://shop.example", types=["order.paid"])
    assert endpoint.secret == "whsec_c2VjcmV0"
    assert "whsec_" not in repr(endpoint)
    assert service.received[0].json == {"url": "https://shop.example", "description": "", "types": ["order.paid"]}


def test_a_cancellation_has_the_email_that_the_sellers_terms_ask_for(ask: "Ask", service: ScriptedService) -> None:
    service.replies = [Reply(409, {"type": "urn:problem:nothing-to-cancel-yet"})]
    with pytest.raises(ConflictError):
        ask("cancel_order", "10000001", email="anna@example.org")
    (sent,) = service.received
    assert (sent.path, sent.json) == ("/orders/10000001/cancellation", {"email": "anna@example.org"})


CSV = b"order_number,status\r\n10000001,paid\r\n"


def test_an_export_arrives_in_parts_after_a_start_that_was_repeated(ask: "Ask", service: ScriptedService) -> None:
    busy = Reply(503, {"type": "urn:problem:statuses-due"}, {"Retry-After": "0"})
    service.replies = [busy, Reply(200, CSV, {"Content-Type": "text/csv"})]
    assert b"".join(ask("orders_csv", status="paid", until=datetime(2026, 11, 1, tzinfo=UTC))) == CSV
    assert [sent.path for sent in service.received] == [
        "/orders.csv?status=paid&to=2026-11-01T00%3A00%3A00%2B00%3A00"
    ] * 2
    assert service.received[0].headers["accept"] == "text/csv"


def test_an_export_that_is_cut_off_is_an_error(ask: "Ask", service: ScriptedService) -> None:
    service.replies = [Reply(200, CSV, {"content-length": "1000", "connection": "close"})]
    with pytest.raises(UnreachableError, match="the answer ended too early"):
        ask("orders_csv")
    assert len(service.received) == 1


def test_an_export_that_is_refused_is_a_typed_error(ask: "Ask", service: ScriptedService) -> None:
    service.replies = [Reply(422, {"type": "urn:problem:unservable-filter"})]
    with pytest.raises(InvalidRequestError):
        ask("orders_csv", status="eaten")


OFFERS = {"plans": [{"plan": PLAN, "price": {"amount": 499_000, "currency": "KZT"}}]}


def test_plans_that_did_not_change_are_not_sent_again(service: ScriptedService) -> None:
    service.replies = [
        Reply(200, OFFERS, {"ETag": '"one"'}),
        Reply(304, b"", {"ETag": '"one"'}),
        Reply(200, {"plans": []}, {"ETag": '"two"'}),
        Reply(304, b"", {"ETag": '"two"'}),
    ]
    with Client("a-key", Addresses.behind(service.url)) as client:
        first, second, third, fourth = (client.plans() for _ in range(4))
    assert (first[0].plan.id, second, third, fourth) == ("tr-5gb-30d", first, (), ())
    assert [sent.headers.get("if-none-match") for sent in service.received] == [None, '"one"', '"one"', '"two"']


async def test_each_search_for_devices_has_an_answer_of_its_own(service: ScriptedService) -> None:
    service.replies = [Reply(200, {"devices": []}, {"ETag": '"one"'})]
    async with AsyncClient("a-key", Addresses.behind(service.url)) as client:
        for search in ("pixel", "iphone", "pixel"):
            assert await client.devices(search) == ()
    assert [sent.headers.get("if-none-match") for sent in service.received] == [None, None, '"one"']


def test_an_answer_that_is_not_kept_is_never_not_modified(ask: "Ask", service: ScriptedService) -> None:
    service.replies = [Reply(304, b"")]
    with pytest.raises(ProblemError):
        ask("plans")
