"""Routes of `/docs`, `/asyncapi` and their documents. A document is made at its first request; the pages load nothing
from other hosts and work without the internet.
"""

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse

if TYPE_CHECKING:
    from shared.messaging.consumer import Consumer

Asset = Literal["swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"]
_A_DAY = {"Cache-Control": "public, max-age=86400"}
_LINKS = (
    '<p style="font:15px/1.5 system-ui,sans-serif;margin:1.2rem auto 0;max-width:1460px;padding:0 20px">'
    'HTTP · <a href="asyncapi">Events</a> · <a href="openapi.json">openapi.json</a> · '
    '<a href="asyncapi.json">asyncapi.json</a></p>'
)


def of_this_installation(service: str) -> str:
    """The installed version of a service; `0` for one that is not a package of its own."""
    try:
        return version(f"esim-{service}")
    except PackageNotFoundError:
        return "0"


def openapi(app: FastAPI, service: str, version: str) -> dict[str, Any]:
    """The service's OpenAPI document."""
    from shared.interfaces import description, openapi  # noqa: PLC0415 - at the first request

    return openapi.document(app, service, version, description.interface_of(service))


def asyncapi(consumer: "Consumer", service: str, version: str) -> dict[str, Any]:
    """The service's AsyncAPI document."""
    from shared.interfaces import asyncapi, description  # noqa: PLC0415 - at the first request

    text = description.interface_of(service).description
    return asyncapi.document(service, version, text, consumer.topics, consumer.tombstones)


def router(app: FastAPI, service: str, consumer: "Consumer") -> APIRouter:
    """The pages and documents of a service."""
    routes = APIRouter(include_in_schema=False)

    @cache
    def http() -> dict[str, Any]:
        return openapi(app, service, of_this_installation(service))

    @cache
    def events() -> dict[str, Any]:
        return asyncapi(consumer, service, of_this_installation(service))

    @routes.get("/openapi.json")
    async def openapi_json() -> JSONResponse:
        return JSONResponse(http())

    @routes.get("/asyncapi.json")
    async def asyncapi_json() -> JSONResponse:
        return JSONResponse(events())

    @routes.get("/docs")
    async def docs() -> HTMLResponse:
        page = get_swagger_ui_html(
            openapi_url="openapi.json",
            title=f"{service}: HTTP",
            swagger_js_url="docs/swagger-ui-bundle.js",
            swagger_css_url="docs/swagger-ui.css",
            swagger_favicon_url="docs/favicon.png",
            swagger_ui_parameters={"defaultModelsExpandDepth": 0, "displayRequestDuration": True},
        )
        text = bytes(page.body).decode()
        return HTMLResponse(text.replace("<body>", f"<body>{_LINKS}", 1))

    @routes.get("/docs/{asset}")
    async def part(asset: Asset) -> FileResponse:
        import fastapi_offline  # noqa: PLC0415 - at the first request

        return FileResponse(Path(fastapi_offline.__file__).parent / "static" / asset, headers=_A_DAY)

    @routes.get("/asyncapi")
    async def events_page() -> HTMLResponse:
        from shared.interfaces.page import page  # noqa: PLC0415 - at the first request

        return HTMLResponse(page(events()))

    return routes
