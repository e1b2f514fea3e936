"""What every page works with: the buyer's session and language, the shop as the service describes it, templates."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from fastapi import Depends, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from esim_fulfilment import AsyncClient, CheckoutSession, Storefront
from example_shop import texts
from example_shop.buying import Buying
from example_shop.hearing import Bell
from example_shop.settings import Settings
from example_shop.store import ShopOrder, Store

#: The name of the stored webhook secret.
WEBHOOK_SECRET = "webhook"  # noqa: S105 - a name, not a secret
SESSION, LANGUAGE = "example_shop", "example_shop_language"
#: A year: a buyer comes back for a top-up.
COOKIE_SECONDS = 365 * 24 * 3600
#: Prices change seldom. An order that names a price or a document of a minute ago is refused where that matters.
_STOREFRONT_SECONDS = 30.0
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
)


Answer = TypeVar("Answer", bound=Response)


@dataclass
class Shop:
    """Everything that lives as long as the process."""

    settings: Settings
    client: AsyncClient
    store: Store
    bell: Bell
    buying: Buying
    _storefront: Storefront | None = field(default=None, init=False)
    _read_at: float = field(default=0.0, init=False)

    async def storefront(self) -> Storefront:
        """The shop as the service describes it, at most half a minute old. Raises FulfilmentError."""
        if self._storefront is None or time.monotonic() - self._read_at > _STOREFRONT_SECONDS:
            self._storefront, self._read_at = await self.client.storefront(), time.monotonic()
        return self._storefront

    def webhook_secrets(self) -> tuple[str, ...]:
        """The secrets that are valid now: of the settings, or of the endpoint that this shop registered."""
        registered = self.store.secret(WEBHOOK_SECRET)
        return self.settings.webhook_secrets or ((registered,) if registered else ())

    def forget_storefront(self) -> None:
        """Read it again at the next use: something of it has changed."""
        self._storefront = None


@dataclass
class Visit:
    """One request of a buyer's browser."""

    request: Request
    shop: Shop
    session: str
    language: str
    new: bool

    def order(self, ref: str) -> ShopOrder:
        """An order of this session. Raises HTTPException (404)."""
        order = self.shop.store.order(ref, self.session)
        if order is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return order

    @property
    def address(self) -> str:
        """The address of this shop as the buyer's browser names it, without a slash at the end."""
        return str(self.request.base_url).rstrip("/")

    def technical(self) -> CheckoutSession:
        """What is forwarded for fraud control."""
        return CheckoutSession(
            ip=self.request.client.host if self.request.client else None,
            user_agent=self.request.headers.get("user-agent"),
            referrer=self.request.headers.get("referer"),
        )

    def page(self, template: str, values: Mapping[str, Any], status: int = 200) -> HTMLResponse:
        """A rendered page, with the session's cookie."""
        return self.with_cookie(HTMLResponse(self.html(template, values), status))

    def html(self, template: str, values: Mapping[str, Any]) -> str:
        """A rendered template."""
        language = self.language
        shop: Storefront | None = values.get("shop")
        zone = shop.time_zone if shop else ""
        return _TEMPLATES.get_template(template).render(
            t=lambda name, **given: texts.sentence(language, name, **given),
            tone=texts.tone,
            price=lambda money: texts.price(money, language),
            data=lambda megabytes: texts.data(megabytes, language),
            bytes=lambda count: texts.amount(count, language),
            place=lambda plan: texts.place(plan, language),
            status=lambda name: texts.status(name, language),
            status_words=lambda name: texts.status_words(name, language),
            moment=lambda at: texts.moment(at, zone, language),
            language=language,
            languages=texts.NAMES,
            path=self.request.url.path,
            **{"shop": None, **values},
        )

    def to(self, path: str) -> RedirectResponse:
        """Send the browser on to another page of ours."""
        return self.with_cookie(RedirectResponse(path, HTTPStatus.SEE_OTHER))

    def with_cookie(self, response: Answer) -> Answer:
        """The response, which gives a new visitor a session."""
        if self.new:
            secure = self.request.url.scheme == "https"
            response.set_cookie(
                SESSION, self.session, max_age=COOKIE_SECONDS, httponly=True, samesite="lax", secure=secure
            )
        return response


def visit_of(request: Request) -> Visit:
    """The session of a request, new where it has none. Raises HTTPException (403) for a form of another site."""
    shop: Shop = request.app.state.shop
    _refuse_foreign(request)
    session = request.cookies.get(SESSION, "")
    language = texts.chosen(request.cookies.get(LANGUAGE), request.headers.get("accept-language", ""))
    return Visit(request, shop, session or secrets.token_urlsafe(24), language, new=not session)


def _refuse_foreign(request: Request) -> None:
    """A form is taken from our own pages only: browsers name the page's origin with each POST."""
    origin = request.headers.get("origin")
    if request.method == "POST" and origin is not None and urlsplit(origin).netloc != request.url.netloc:
        raise HTTPException(HTTPStatus.FORBIDDEN)


Visiting = Annotated[Visit, Depends(visit_of)]
