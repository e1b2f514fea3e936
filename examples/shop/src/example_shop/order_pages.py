"""The pages of an order: its state, the way to the bank, top-up, refund."""

import secrets
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException
from fastapi.responses import HTMLResponse, Response

from esim_fulfilment import Offer, ProblemError, RefundRequest, Storefront
from esim_fulfilment.refund_models import RefundReason
from example_shop.buying import CAN_BE_PAID
from example_shop.context import Visit, Visiting
from example_shop.pages import offer_of
from example_shop.store import ShopOrder

router = APIRouter()
Text = Annotated[str, Form()]
#: The reasons that a buyer chooses from; the service has more.
REASONS: tuple[RefundReason, ...] = (
    "changed_mind",
    "not_delivered",
    "technical_failure",
    "incompatible_device",
    "no_coverage",
    "slow_data",
    "lost_code",
    "double_charge",
    "other",
)
#: The usual way of an order, with the fact that ends each step.
STEPS = (
    ("placed", "order_placed"),
    ("paid", "order_paid"),
    ("profile_ready", "profile_generated"),
    ("delivered", "qr_delivered"),
)
TOP_UP_STEPS = (("placed", "order_placed"), ("paid", "order_paid"), ("topped_up", "top_up_applied"))


@router.get("/orders")
async def my_orders(visit: Visiting) -> HTMLResponse:
    """The orders of this browser."""
    shop = await visit.shop.storefront()
    orders = [(await visit.shop.buying.present(order))[0] for order in visit.shop.store.orders(visit.session)]
    return visit.page("orders.html", {"shop": shop, "orders": orders})


@router.get("/orders/{ref}")
async def order_page(visit: Visiting, ref: str) -> HTMLResponse:
    """How an order stands. The open page follows it (live.py)."""
    return visit.page("order.html", await order_values(visit, ref))


async def order_values(visit: Visit, ref: str) -> dict[str, Any]:
    """What the page of an order, and the part of it that changes, are made from."""
    order, certain = await visit.shop.buying.present(visit.order(ref))
    shop = await visit.shop.storefront()
    return {
        "shop": shop,
        "order": order,
        "certain": certain,
        "payable": order.seen is not None and order.seen.status in CAN_BE_PAID,
        "webhooks": visit.shop.store.webhooks(order.order_id) if order.order_id else [],
        "mailbox": visit.shop.settings.mailbox_url,
        "steps": _steps(order),
        "top_up": _iccid(order) is not None and bool(_top_ups(shop, order)),
    }


@router.get("/orders/{ref}/pay")
async def pay(visit: Visiting, ref: str) -> Response:
    """The last page before the bank's. The bank's script takes the buyer there with the payment object."""
    order, _ = await visit.shop.buying.present(visit.order(ref))
    if order.order_id is None or order.seen is None or order.seen.status not in CAN_BE_PAID:
        return visit.to(f"/orders/{ref}")
    try:
        payment = await visit.shop.buying.payment(order.order_id, f"{visit.address}/orders/{ref}", visit.language)
    except ProblemError:  # paid or lapsed since: its page says so
        return visit.to(f"/orders/{ref}")
    values = {
        "shop": await visit.shop.storefront(),
        "order": order,
        "payment": payment,
        "bank": visit.shop.settings.bank_script,
    }
    return visit.page("pay.html", values)


@router.get("/orders/{ref}/top-up")
async def top_up(visit: Visiting, ref: str) -> HTMLResponse:
    """The plans that extend the eSIM of this order."""
    order, _ = await visit.shop.buying.present(visit.order(ref))
    shop = await visit.shop.storefront()
    offers = _top_ups(shop, order)
    if not offers:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    values = {"shop": shop, "order": order, "offers": offers, "basket": secrets.token_urlsafe(18)}
    return visit.page("top_up.html", values)


@router.post("/orders/{ref}/top-up")
async def place_top_up(visit: Visiting, ref: str, plan: Text, basket: Text) -> Response:
    """Order a top-up, under the buyer's data of the first order."""
    order, _ = await visit.shop.buying.present(visit.order(ref))
    shop = await visit.shop.storefront()
    iccid = _iccid(order)
    if order.request is None or iccid is None:
        raise HTTPException(HTTPStatus.CONFLICT)
    changes = {
        "plan": offer_of(shop, plan).plan.id,
        "kind": "top_up",
        "iccid": iccid,
        "offer_version": shop.documents.offer,
        "privacy_version": shop.documents.privacy,
        "newsletter": False,
    }
    request = order.request.model_copy(update=changes)
    try:
        await visit.shop.buying.place(basket, visit.session, request, visit.technical(), parent=ref)
    except ProblemError as error:
        return await _refused(visit, order, error)
    return visit.to(f"/orders/{basket}/pay")


@router.get("/orders/{ref}/refund")
async def refund(visit: Visiting, ref: str) -> HTMLResponse:
    """The form of a request for a refund, with today's answer for each reason."""
    order, _ = await visit.shop.buying.present(visit.order(ref))
    if order.order_id is None or order.seen is None:
        raise HTTPException(HTTPStatus.CONFLICT)
    prospects = await visit.shop.client.refund_eligibility(order.order_id)
    values = {
        "shop": await visit.shop.storefront(),
        "order": order,
        "reasons": REASONS,
        "answers": {prospect.reason: prospect for prospect in prospects.answers},
    }
    return visit.page("refund.html", values)


@router.post("/orders/{ref}/refund")
async def ask_refund(visit: Visiting, ref: str, reason: Text, words: Text = "") -> Response:
    """Pass a request for a refund on, with what the shop knows of the buyer."""
    order, _ = await visit.shop.buying.present(visit.order(ref))
    chosen = next((known for known in REASONS if known == reason), None)
    if order.request is None or order.seen is None or chosen is None:
        raise HTTPException(HTTPStatus.CONFLICT)
    buyer = order.request.buyer
    paid_at = order.seen.facts.get("order_paid")
    request = RefundRequest(
        reason=chosen,
        channel="account",
        full_name=buyer.name,
        email=buyer.email,
        phone=buyer.phone,
        payment_date=paid_at.date() if paid_at else None,
        circumstances=words or None,
    )
    try:
        await visit.shop.buying.refund(order, request)
    except ProblemError as error:
        return await _refused(visit, order, error)
    return visit.to(f"/orders/{ref}")


async def _refused(visit: Visit, order: ShopOrder, error: ProblemError) -> Response:
    values = {"shop": await visit.shop.storefront(), "order": order, "detail": error.problem.detail}
    return visit.page("refused.html", values, HTTPStatus.CONFLICT)


def _iccid(order: ShopOrder) -> str | None:
    """The eSIM of an order, once one is known."""
    return order.seen.esim.iccid if order.seen is not None and order.seen.esim is not None else None


def _top_ups(shop: Storefront, order: ShopOrder) -> list[Offer]:
    """A top-up has the coverage and the operator profile type of the eSIM's own plan."""
    if order.seen is None:
        return []
    own = order.seen.plan
    return [
        offer
        for offer in shop.plans
        if offer.plan.coverage == own.coverage and offer.plan.profile_type == own.profile_type
    ]


def _steps(order: ShopOrder) -> list[tuple[str, bool]]:
    """How far an order is on its usual way."""
    if order.seen is None:
        return []
    steps = TOP_UP_STEPS if order.seen.kind == "top_up" else STEPS
    return [(name, fact in order.seen.facts) for name, fact in steps]
