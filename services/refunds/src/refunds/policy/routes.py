"""HTTP: the policies, for lawyers (HTML) and programs (JSON)."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from refunds.policy import Policy, PolicyBook, UnknownPolicyError
from refunds.policy.dependencies import PoliciesDep
from refunds.policy.rules.policy_table import table
from refunds.policy.store import moment
from shared.kernel.dependencies import ServiceClock
from shared.kernel.problems import Problem, invalid_request
from shared.values.opaque import Named

_PAGES = Environment(
    loader=PackageLoader("refunds.policy", "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


#: Public, as the sellers' own texts are.
routes = APIRouter(tags=["policies"])


@routes.get("/policies", response_class=Response)
async def index(request: Request, policies: PoliciesDep) -> Response:
    """All storefronts and versions."""
    book = policies.book
    versions = [version for storefront in book.storefronts for version in book.versions(storefront)]
    if _wants_json(request):
        return _json([_summary(version) for version in versions])
    return _html("index.html.j2", versions=versions)


@routes.get("/policies/{storefront}", response_class=Response)
async def show(
    storefront: Named,
    request: Request,
    policies: PoliciesDep,
    clock: ServiceClock,
    at: Annotated[Named | None, Query(description="a moment with its offset, or a day of the seller's")] = None,
    version: Annotated[Named | None, Query(description="a version's own name")] = None,
) -> Response:
    """One version as tables: the one named, or in force at a moment, or today."""
    book = policies.book
    policy = _chosen(book, storefront, at, version, clock.now())
    if _wants_json(request):
        return _json(_summary(policy) | {"text": policy.model_dump(mode="json", exclude_none=True)})
    return _html("policy.html.j2", shown=table(policy, book), policy=policy, versions=book.versions(storefront))


def _chosen(book: PolicyBook, storefront: str, at: str | None, version: str | None, now: datetime) -> Policy:
    try:
        if version is not None:
            return book.named(f"{storefront}@{version}")
        return book.in_force(storefront, now if at is None else _moment(at, book.versions(storefront)[0]))
    except UnknownPolicyError as error:
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-policy", f"{error}; see /policies.") from None


def _moment(text: str, policy: Policy) -> datetime:
    try:
        return moment(text, policy.calendar.zone)
    except ValueError as error:
        raise invalid_request([{"field": "at", "message": str(error)}]) from None


def _summary(policy: Policy) -> dict[str, Any]:
    return {
        "policy": policy.name,
        "storefront": policy.storefront,
        "version": policy.version,
        "in_force_from": None if policy.effective_from is None else policy.effective_from.isoformat(),
        "source": policy.source,
    }


def _wants_json(request: Request) -> bool:
    """JSON only where `Accept` names it and does not name HTML."""
    accept = request.headers.get("accept", "")
    return "application/json" in accept and "text/html" not in accept


def _json(body: Any) -> Response:
    return JSONResponse(body, headers={"Vary": "Accept"})


def _html(template: str, **values: Any) -> Response:
    headers = {
        "Vary": "Accept",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
        "X-Content-Type-Options": "nosniff",
    }
    return HTMLResponse(_PAGES.get_template(template).render(values), headers=headers)
