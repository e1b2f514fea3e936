"""Who must show credentials: a service is asked, wired and not started, by the operations of its OpenAPI document.

`python -m release.asking <service>` prints that document, as FastAPI makes it, and the operations that answered 401:
run with a released tree's code, for releases that have no document committed.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import httpx
from fastapi import FastAPI
from hypothesis import Phase, find, settings

from access.services import built
from local_stack.product import SERVICES, TELEGRAM_SHOP, WHATSAPP_SHOP
from release.samples import values

Document = dict[str, Any]
METHODS = ("get", "put", "post", "delete", "head", "patch")


def operations(document: Document) -> Iterator[tuple[str, Document]]:
    """Every operation, as `GET /orders/{reference}`, and what is said of it."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method in METHODS:
                yield f"{method.upper()} {path}", operation


async def unasked(app: FastAPI, document: Document) -> dict[str, httpx.Response]:
    """What each operation answers to whoever shows no credentials; nothing behind the app is there."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as http:
        return {
            operation: await http.request(**_request(document, operation, one))
            for operation, one in operations(document)
            if operation != "GET /health/ready"  # it would wait for a broker
        }


def _request(document: Document, operation: str, one: Document) -> Document:
    """A request of the right shape, without credentials: as small as its schemas allow."""
    method, path = operation.split(" ")
    sent: Document = {"headers": {}, "params": {}}
    for parameter in one.get("parameters", ()):
        value = _known(operation).get(parameter["name"]) or smallest(parameter["schema"], document)
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", str(value or "x"))
        elif parameter.get("required"):
            sent["headers" if parameter["in"] == "header" else "params"][parameter["name"]] = str(value)
    media = one.get("requestBody", {}).get("content", {}).get("application/json")
    if media:
        sent["json"] = media.get("example") or smallest(media["schema"], document)
    return {"method": method, "url": path, **sent}


def _known(operation: str) -> dict[str, str]:
    """Names that a local stack knows; of others it says that there is nobody to show credentials to."""
    shop = WHATSAPP_SHOP if "whatsapp" in operation else TELEGRAM_SHOP
    return {"operator": "reseller" if "airalo" in operation else "primary", "storefront": shop}


def smallest(schema: Document, document: Document) -> Any:
    """A value that a schema of the document allows, as small as that goes."""
    once = settings(max_examples=1, phases=[Phase.generate], database=None)
    return find(values(schema, document), lambda _value: True, settings=once)


async def _description(name: str) -> Document:
    service = (await built([one for one in SERVICES if one.name == name]))[name]
    document = service.app.openapi()
    answers = await unasked(service.app, document)
    guarded = [name for name, answer in answers.items() if answer.status_code == HTTPStatus.UNAUTHORIZED]
    return {"openapi": document, "guarded": guarded}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_description(sys.argv[1]))))
