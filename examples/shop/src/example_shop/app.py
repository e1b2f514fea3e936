"""Assembles the shop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from esim_fulfilment import AsyncClient, FulfilmentError
from example_shop import live, order_pages, pages, webhooks
from example_shop.buying import Buying
from example_shop.context import Shop, visit_of
from example_shop.hearing import Bell
from example_shop.registration import register
from example_shop.settings import Settings
from example_shop.store import Store


def create_app(settings: Settings) -> FastAPI:
    """The shop as an ASGI application."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        store = Store(settings.database)
        async with AsyncClient(settings.key, settings.addresses) as client:
            app.state.shop = Shop(settings, client, store, Bell(), Buying(client, store))
            registering = asyncio.create_task(register(app.state.shop))
            yield
            registering.cancel()
        store.close()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    for router in (live.router, order_pages.router, pages.router, webhooks.router):
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    app.add_middleware(Headers, bank_script=settings.bank_script)
    app.add_exception_handler(FulfilmentError, _service_unavailable)
    app.add_exception_handler(HTTPException, _http_error)

    @app.get("/health")
    async def health() -> PlainTextResponse:
        return PlainTextResponse("ok")

    return app


class Headers:
    """Headers of every answer: our own scripts and style, the bank's script, forms to us and to the bank."""

    def __init__(self, app: ASGIApp, bank_script: str) -> None:
        self._app = app
        bank = urlsplit(bank_script)
        origin = f"{bank.scheme}://{bank.netloc}"
        self._policy = (
            f"default-src 'none'; script-src 'self' {origin}; style-src 'self'; img-src 'self'; connect-src 'self'; "
            f"form-action 'self' {origin}; base-uri 'none'; frame-ancestors 'none'"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does, with the headers."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["content-security-policy"] = self._policy
                headers["x-content-type-options"] = "nosniff"
                headers["referrer-policy"] = "same-origin"
                if not scope["path"].startswith("/static/"):
                    headers["cache-control"] = "no-store"
            await send(message)

        await self._app(scope, receive, with_headers)


async def _service_unavailable(request: Request, _error: Exception) -> Response:
    return _error_page(request, "service", HTTPStatus.SERVICE_UNAVAILABLE)


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
    return _error_page(request, "missing" if status == HTTPStatus.NOT_FOUND else "form", status)


def _error_page(request: Request, kind: str, status: int) -> Response:
    try:
        return visit_of(request).page("error.html", {"kind": kind}, status)
    except HTTPException:
        return PlainTextResponse("This form came from another site.", status)
