"""HTTP: `POST /contact/{storefront}`, the contact form of a shop's site."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from prometheus_client import Counter
from pydantic import ValidationError

from refunds.callers import Callers
from refunds.channels.contact_form.models import ContactMessage, Received
from refunds.channels.contact_form.service import ContactForm
from refunds.channels.rules.texts import text_of
from refunds.support_mail.rules.wishes import language_of
from shared.contracts import Language
from shared.kernel.dependencies import RequestTrace, ServiceDatabase
from shared.kernel.problems import Problem, field_errors, invalid_request
from shared.values.client_address import ClientAddress
from shared.values.opaque import Named

#: A message of 4000 characters, each written as `%XX%XX%XX%XX`, and the other fields.
LARGEST_MESSAGE = 64 * 1024
_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"
_MOST_FIELDS = 20
_PAGE = (
    '<!doctype html><html lang="{language}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    "<title>{text}</title><p>{text}</p></html>"
)


@dataclass(slots=True, frozen=True)
class ContactForms:
    """The form, and the origins of a shop's pages; None: there is no such shop."""

    form: ContactForm
    origins: Callable[[str], frozenset[str] | None]
    metric: Counter


@dataclass(slots=True, frozen=True)
class Sender:
    """Who sends a message: a visitor of a page (`address`: their network), or the shop itself (None)."""

    forms: ContactForms
    address: str | None
    headers: Mapping[str, str]


async def _sender(storefront: Named, request: Request) -> Sender:
    """Raises Problem: 404 without such a shop, 403 for another site, 401 and 403 for a wrong key."""
    forms: ContactForms = request.app.state.contact_forms
    origins = forms.origins(storefront)
    if origins is None:
        raise Problem(HTTPStatus.NOT_FOUND, "no-contact-form", "There is no such storefront.")
    origin = request.headers.get("origin")
    if "authorization" in request.headers or origin is None:
        callers: Callers = request.app.state.callers
        caller = await callers.anyone(request, ["refunds"])
        if caller.storefront not in (None, storefront):
            raise Problem(HTTPStatus.NOT_FOUND, "no-contact-form", "This key belongs to another storefront.")
        return Sender(forms, None, {})
    if origin not in origins:
        detail = "Messages are taken from the shop's own pages (`support.form_origins`), or with the shop's key."
        raise Problem(HTTPStatus.FORBIDDEN, "foreign-origin", detail, errors=[{"field": "Origin", "message": detail}])
    host = "" if request.client is None else request.client.host
    address = ClientAddress.parse(host)
    return Sender(forms, host if address is None else address.household, {"Access-Control-Allow-Origin": origin})


SenderDep = Annotated[Sender, Depends(_sender)]
_SCHEMA = ContactMessage.model_json_schema()
_DOCUMENT = {
    "requestBody": {"required": True, "content": {kind: {"schema": _SCHEMA} for kind in (_JSON, _FORM)}},
    "security": [{"storefront": ["refunds"]}, {"agent": []}],
}
routes = APIRouter(tags=["contact form"])


@routes.options("/contact/{storefront}", status_code=HTTPStatus.NO_CONTENT, include_in_schema=False)
async def preflight(storefront: Named, sender: SenderDep) -> Response:
    """Let the shop's own pages post JSON."""
    del storefront  # `sender` has checked it
    allowed = {"Access-Control-Allow-Methods": "POST", "Access-Control-Allow-Headers": "Content-Type"}
    return Response(status_code=HTTPStatus.NO_CONTENT, headers={**sender.headers, **allowed, "Vary": "Origin"})


@routes.post("/contact/{storefront}", status_code=HTTPStatus.ACCEPTED, response_model=Received, openapi_extra=_DOCUMENT)
async def contact(
    storefront: Named, request: Request, sender: SenderDep, database: ServiceDatabase, trace: RequestTrace
) -> Response:
    """Take a message of a visitor, as JSON or as a plain HTML form, which gets a page as its answer.

    An agent reads it; the answer goes to the contact of the order by e-mail. Whether an order is known is not revealed.
    """
    try:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        message = _read(kind, await request.body())
        async with database.transaction("support_mail") as tx:
            outcome = await sender.forms.form.take(tx, storefront, message, sender.address, trace)
    except Problem as problem:
        problem.headers |= sender.headers
        raise
    sender.forms.metric.labels(storefront, outcome).inc()
    if kind == _FORM:
        language: Language = language_of(message.text)
        page = _PAGE.format(language=language, text=text_of("form_received", language))
        return HTMLResponse(page, HTTPStatus.ACCEPTED, sender.headers)
    return JSONResponse(Received().model_dump(), HTTPStatus.ACCEPTED, sender.headers)


def _read(kind: str, body: bytes) -> ContactMessage:
    """The message in a body of this type. Raises Problem (400, 415, 422)."""
    try:
        return ContactMessage.model_validate(_fields(kind, body))
    except ValidationError as error:
        raise invalid_request(field_errors(error.errors())) from None
    except (ValueError, RecursionError):
        raise Problem(HTTPStatus.BAD_REQUEST, "malformed-body", "The body cannot be read as its type.") from None


def _fields(kind: str, body: bytes) -> Any:
    if kind == _JSON:
        return json.loads(body)
    if kind == _FORM:
        text = body.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
        return {name: value.replace("\r\n", "\n") for name, value in pairs}
    detail = f"Send {_JSON} or {_FORM}."
    raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-type", detail)
