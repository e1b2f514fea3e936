"""Webhooks of the reseller: the result of an asynchronous order is verified, stored, and answered with 200.

Only that the order ended, and how, is taken from a webhook. The eSIM itself is read from the list of orders.
"""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response

from provisioning.clients.airalo.messages import SIGNATURE, is_signed, read_notice
from provisioning.clients.airalo.requests import AiraloRequests
from provisioning.clients.fields import Unparsed
from provisioning.dependencies import OperatorsDependency
from provisioning.settings import OperatorSettings
from shared.kernel.dependencies import ServiceDatabase
from shared.kernel.problems import Problem
from shared.values.opaque import Credential, Named

ADAPTER = "airalo"
routes = APIRouter(tags=["operators"])


def _reseller(operator: Named, operators: OperatorsDependency) -> OperatorSettings:
    """The settings of this reseller. Raises Problem (404)."""
    settings = operators.settings.get(operator)
    if settings is None or settings.adapter != ADAPTER:
        detail = "No reseller of this name is configured here."
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-operator", detail)
    return settings


Reseller = Annotated[OperatorSettings, Depends(_reseller)]


@routes.head("/operators/{operator}/airalo/webhook")  # noqa: FAST003 - read by the dependency Reseller
async def probe(_reseller: Reseller) -> Response:
    """The reseller checks whether the address answers."""
    return Response()


@routes.post("/operators/{operator}/airalo/webhook")  # noqa: FAST003 - as above
async def webhook(
    request: Request,
    reseller: Reseller,
    database: ServiceDatabase,
    operators: OperatorsDependency,
    signature: Annotated[Credential | None, Header(alias=SIGNATURE)] = None,
) -> dict[str, str]:
    """200 once it is stored, or is about an order that is not ours; the first one of a request counts."""
    body = await request.body()
    if not is_signed(body, signature, reseller.credentials["client_secret"].get_secret_value()):
        detail = f"{SIGNATURE} is not the HMAC-SHA512 of this body under the client secret."
        raise Problem(HTTPStatus.UNAUTHORIZED, "bad-signature", detail)
    unparsed: Unparsed = set()
    notice = read_notice(body, unparsed)
    operators.unparsed_fields.count(reseller.name, unparsed)
    if notice is None:
        detail = "A JSON object with the request_id of an asynchronous order is expected."
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-webhook", detail)
    return {"status": await AiraloRequests(database, reseller.name).notice(notice)}
