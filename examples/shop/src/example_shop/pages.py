"""The pages before an order: plans, device check, checkout, documents; and the one for developers."""

import secrets
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel

from esim_fulfilment import (
    Buyer,
    FulfilmentError,
    NewOrder,
    Offer,
    OutdatedDocumentsError,
    ProblemError,
    Storefront,
)
from example_shop import texts
from example_shop.context import COOKIE_SECONDS, LANGUAGE, Visit, Visiting

router = APIRouter()


class CheckoutForm(BaseModel):
    """The fields of the checkout. Whether they are right the service says, so that the rules stand in one place."""

    basket: str
    name: str = ""
    email: str = ""
    phone: str = ""
    device: str = ""
    documents: str = ""
    newsletter: str = ""

    def empty(self) -> list[str]:
        """The required fields without a value."""
        return [name for name in ("name", "email", "phone", "device", "documents") if not getattr(self, name)]


@router.get("/")
async def plans(visit: Visiting, q: str = "") -> HTMLResponse:
    """What the shop sells; `q` searches places."""
    shop = await visit.shop.storefront()
    wanted = q.strip().casefold()
    offers = [offer for offer in shop.plans if wanted in _searchable(offer, visit.language)]
    return visit.page("plans.html", {"shop": shop, "offers": offers, "q": q})


@router.get("/device")
async def device(visit: Visiting, q: str = "") -> HTMLResponse:
    """Whether a device supports eSIM."""
    shop = await visit.shop.storefront()
    devices = await visit.shop.client.devices(q) if q.strip() else ()
    return visit.page("device.html", {"shop": shop, "q": q.strip(), "devices": devices})


@router.get("/plans/{plan}")
async def checkout(visit: Visiting, plan: str) -> HTMLResponse:
    """The form of an order."""
    shop = await visit.shop.storefront()
    form = CheckoutForm(basket=secrets.token_urlsafe(18))
    return _checkout(visit, shop, offer_of(shop, plan), form)


@router.post("/plans/{plan}")
async def place(visit: Visiting, plan: str, form: Annotated[CheckoutForm, Form()]) -> Response:
    """Place the order of a form and go on to the payment."""
    shop = await visit.shop.storefront()
    offer = offer_of(shop, plan)
    if empty := form.empty():
        return _checkout(visit, shop, offer, form, wrong=empty)
    buyer = Buyer(name=form.name, email=form.email, phone=form.phone, language=texts.buyer_language(visit.language))
    order = NewOrder(
        plan=offer.plan.id,
        buyer=buyer,
        offer_version=shop.documents.offer,
        privacy_version=shop.documents.privacy,
        newsletter=bool(form.newsletter),
    )
    try:
        await visit.shop.buying.place(form.basket, visit.session, order, visit.technical())
    except OutdatedDocumentsError:
        visit.shop.forget_storefront()
        return _checkout(visit, await visit.shop.storefront(), offer, form, notice="outdated")
    except ProblemError as error:
        wrong = [problem.field.removeprefix("buyer.") for problem in error.errors]
        return _checkout(visit, shop, offer, form, wrong=wrong, notice="check_fields" if wrong else "refused")
    return visit.to(f"/orders/{form.basket}/pay")


@router.get("/documents/{name}")
async def document(visit: Visiting, name: str) -> HTMLResponse:
    """The offer, the privacy policy or the refund terms. A real shop has its texts here, a page for each version."""
    shop = await visit.shop.storefront()
    if name not in ("offer", "privacy", "refund"):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return visit.page("document.html", {"shop": shop, "name": name, "version": getattr(shop.documents, name)})


@router.post("/language")
async def choose_language(visit: Visiting, language: Annotated[str, Form()], back: Annotated[str, Form()]) -> Response:
    """Remember the buyer's language and return to the page, which is one of ours."""
    response = visit.with_cookie(RedirectResponse("/" + back.lstrip("/\\"), HTTPStatus.SEE_OTHER))
    if language in texts.LANGUAGES:
        response.set_cookie(LANGUAGE, language, max_age=COOKIE_SECONDS, samesite="lax", httponly=True)
    return response


@router.get("/developers")
async def developers(visit: Visiting) -> HTMLResponse:
    """The webhooks that this shop has received, for whoever tries it out."""
    try:
        shop: Storefront | None = await visit.shop.storefront()
    except FulfilmentError:
        shop = None
    settings = visit.shop.settings
    values = {
        "shop": shop,
        "webhooks": visit.shop.store.webhooks(),
        "mailbox": settings.mailbox_url,
        "traces": settings.traces_url,
        "registered": bool(visit.shop.webhook_secrets()),
    }
    return visit.page("developers.html", values)


def offer_of(shop: Storefront, plan: str) -> Offer:
    """A plan of this shop. Raises HTTPException (404)."""
    for offer in shop.plans:
        if offer.plan.id == plan:
            return offer
    raise HTTPException(HTTPStatus.NOT_FOUND)


def _checkout(
    visit: Visit, shop: Storefront, offer: Offer, form: CheckoutForm, *, wrong: Sequence[str] = (), notice: str = ""
) -> HTMLResponse:
    """The form with what was given; 422 where something of it is wrong."""
    notice = notice or ("check_fields" if wrong else "")
    values: Mapping[str, object] = {"shop": shop, "offer": offer, "form": form, "wrong": wrong, "notice": notice}
    return visit.page("checkout.html", values, HTTPStatus.UNPROCESSABLE_ENTITY if notice else HTTPStatus.OK)


def _searchable(offer: Offer, language: str) -> str:
    return f"{texts.place(offer.plan, language)} {offer.plan.title}".casefold()
