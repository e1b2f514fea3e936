"""The account page's forms for the buyer's rights: contact data (PP 6.1), export, block and erasure (PP 6.2).

Each request is confirmed by a code that ordering sends; this service knows neither the code nor whether it is right.
The page of an erasure has an address of its own, because the account page no longer exists after the erasure.
"""

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from notifications.account.context import AccountContext, Context, Form, back
from notifications.account.models import (
    AccountOrder,
    ErasureProof,
    PendingCode,
    Purpose,
    RefusalText,
    ServiceErasure,
)
from notifications.account.rules.rights import (
    CODE_STILL_VALID,
    read_pending,
    refusal_text,
    render_moved,
    render_proof,
)
from notifications.account.rules.tickets import Ticket
from notifications.clients.ordering import CodeSent, OrderingOutcome, PrivacyRequest, RequestRefused
from notifications.emails import BadLinkError, LocaleFormat, written
from notifications.pages import SAFE_HEADERS, LinkToken
from shared.kernel.dependencies import RequestTrace
from shared.outcomes import Done, NotSent, Unknown
from shared.values.opaque import Named

router = APIRouter(prefix="/account", include_in_schema=False)
TicketText = Annotated[Named, Path(max_length=200)]
_TICKET_VALID = {"export": timedelta(days=1), "erase": timedelta(days=3653)}
#: The page of an export, which ordering renders, has its style sheet inline, and nothing else.
_EXPORT_PAGE_HEADERS = {
    **SAFE_HEADERS,
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
}
_EXPORTS = {
    "page": ("text/html", _EXPORT_PAGE_HEADERS),
    "file": ("application/json", {**SAFE_HEADERS, "content-disposition": 'attachment; filename="my-data.json"'}),
}
_PRIVACY_PURPOSES = frozenset({"export", "block", "unblock", "erase"})


@router.get("/erasures/{ticket}")
async def get_erasure(ticket: TicketText, context: Context, trace: RequestTrace) -> Response:
    """The page of an erasure. It stands before `/{token}/...`: no token may take its path."""
    erasure = context.tickets.read(ticket, "erase", context.clock.now())
    storefront = context.storefront(erasure.storefront)
    proof = None
    if context.ordering is not None and context.ordering.serves(erasure.storefront):
        outcome = await context.ordering.privacy_request(erasure.storefront, erasure.request_id, trace)
        proof = _proof(outcome.value) if isinstance(outcome, Done) else None
    locale = LocaleFormat(erasure.language, ZoneInfo(storefront.time_zone))
    return HTMLResponse(render_proof(proof, erasure.storefront, storefront, locale), headers=SAFE_HEADERS)


@router.post("/{token}/contact")
async def correct_contact(token: LinkToken, context: Context, trace: RequestTrace, fields: Form) -> Response:
    """Request a corrected address or phone."""
    order = await context.store.open(token)
    ordering = context.ordering_for(order.storefront)
    changes = {name: fields[name].strip() for name in ("email", "phone") if fields.get(name, "").strip()}
    outcome = await ordering.request_correction(order.storefront, order.order_id, changes, trace)
    return _requested(token, outcome, "email" if "email" in changes else "phone")


@router.post("/{token}/data")
async def request_privacy(token: LinkToken, context: Context, trace: RequestTrace, fields: Form) -> Response:
    """Request an export, a block, the end of a block, or an erasure."""
    order = await context.store.open(token)
    kind = fields.get("kind")
    if kind not in _PRIVACY_PURPOSES:
        raise BadLinkError("not a form of this page")
    ordering = context.ordering_for(order.storefront)
    outcome = await ordering.request_privacy(order.storefront, order.order_id, kind, trace)
    return _requested(token, outcome, kind)  # type: ignore[arg-type] # just checked


@router.post("/{token}/confirm")
async def confirm(token: LinkToken, context: Context, trace: RequestTrace, fields: Form) -> Response:
    """Confirm a request with its code."""
    order = await context.store.open(token)
    pending = read_pending(fields)
    if pending is None:
        raise BadLinkError("not a form of this page")
    ordering = context.ordering_for(order.storefront)
    digits = "".join(fields.get("code", "").split())
    match await ordering.confirm(order.storefront, pending.confirmation_id, digits, trace):
        case Done():
            return _confirmed(context, token, order, pending)
        case outcome:
            refusal = _refusal(outcome)
            return back(token, said=refusal, **(pending.query if refusal in CODE_STILL_VALID else {}))


@router.get("/{token}/export/{ticket}")
async def get_export(
    token: LinkToken, ticket: TicketText, context: Context, trace: RequestTrace, form: Literal["page", "file"] = "page"
) -> Response:
    """The buyer's data. It needs the account's link and the ticket: one of them alone gives nothing."""
    order = await context.store.open(token)
    export = context.tickets.read(ticket, "export", context.clock.now())
    ordering = context.ordering_for(order.storefront)
    if export.storefront != order.storefront:
        raise BadLinkError("the ticket belongs to another shop")
    media_type, headers = _EXPORTS[form]
    match await ordering.export(order.storefront, export.request_id, trace, media_type=media_type):
        case Done(value=data):
            return Response(data, media_type=f"{media_type}; charset=utf-8", headers=headers)
        case _:
            return back(token, said="not_now", export=ticket)


def _requested(token: str, outcome: OrderingOutcome[CodeSent], purpose: Purpose) -> Response:
    """Back to the page: to enter the code, or to read why none was sent."""
    match outcome:
        case Done(value=sent):
            return back(token, **PendingCode(sent.confirmation_id, purpose, sent.sent_by).query)
        case _:
            return back(token, said=_refusal(outcome))


def _refusal(outcome: RequestRefused | NotSent | Unknown) -> RefusalText:
    if not isinstance(outcome, RequestRefused):
        return "not_now"
    return refusal_text(outcome.code, outcome.fields, invalid=outcome.status == HTTPStatus.UNPROCESSABLE_ENTITY)


def _confirmed(context: AccountContext, token: str, order: AccountOrder, pending: PendingCode) -> Response:
    """The response to the right code."""
    slug, language = order.storefront, written(order.language)
    match pending.purpose:
        case "email":
            number = str(order.row["order_number"])
            return HTMLResponse(render_moved(slug, context.storefront(slug), number, language), headers=SAFE_HEADERS)
        case "phone":
            return back(token, said="corrected")
        case "block":
            return back(token, said="blocked")
        case "unblock":
            return back(token, said="unblocked")
        case "export" | "erase" as kind:
            ticket = Ticket(pending.confirmation_id, kind, slug, language)
            text = context.tickets.make(ticket, context.clock.now() + _TICKET_VALID[kind])
    if kind == "export":
        return back(token, said="export", export=text)
    return RedirectResponse(f"/account/erasures/{text}", HTTPStatus.SEE_OTHER, headers=SAFE_HEADERS)


def _proof(request: PrivacyRequest) -> ErasureProof:
    return ErasureProof(
        request.request_id,
        request.state == "done",
        request.requested_at,
        request.confirmed_at,
        "sms" if "sms" in (request.confirmed_by or "") else "email",
        {name: ServiceErasure(erased.erased_at, erased.kept) for name, erased in request.services.items()},
    )
