"""Where the reseller tells how an asynchronous order ended: signed, stored, then answered with 200.

Only that it ended, and how, is taken from a webhook; the eSIM itself is read from the list of orders.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from provisioning.clients.airalo.messages import SIGNATURE, is_signed, read_notice
from provisioning.clients.airalo.requests import AiraloRequests
from provisioning.clients.fields import Unparsed
from provisioning.clients.unparsed_fields import UnparsedFields
from provisioning.settings import OperatorSettings
from shared.database import Database
from shared.kernel.problems import Problem
from shared.values.opaque import Credential, Named

ADAPTER = "airalo"


def router(database: Database, operators: Mapping[str, OperatorSettings], unparsed_fields: UnparsedFields) -> APIRouter:
    """`POST` and `HEAD /operators/{name}/airalo/webhook`."""
    routes = APIRouter(tags=["operators"])
    memories = {name: AiraloRequests(database, name) for name, one in operators.items() if one.adapter == ADAPTER}

    def known(operator: str) -> AiraloRequests:
        if operator not in memories:
            detail = "No reseller of this name is configured here."
            raise Problem(HTTPStatus.NOT_FOUND, "unknown-operator", detail)
        return memories[operator]

    @routes.head("/operators/{operator}/airalo/webhook")
    async def probe(operator: Named) -> Response:
        """The reseller looks whether somebody is here."""
        known(operator)
        return Response()

    @routes.post("/operators/{operator}/airalo/webhook")
    async def webhook(
        operator: Named, request: Request, signature: Annotated[Credential | None, Header(alias=SIGNATURE)] = None
    ) -> dict[str, str]:
        """200 once it is stored; the first one of a request counts."""
        memory, body = known(operator), await request.body()
        if not is_signed(body, signature, operators[operator].credentials["client_secret"].get_secret_value()):
            detail = f"{SIGNATURE} is not the HMAC-SHA512 of this body under the client secret."
            raise Problem(HTTPStatus.UNAUTHORIZED, "bad-signature", detail)
        unparsed: Unparsed = set()
        notice = read_notice(body, unparsed)
        unparsed_fields.count(operator, unparsed)
        if notice is None:
            detail = "A JSON object with the request_id of an asynchronous order is expected."
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-webhook", detail)
        new = await memory.notice(notice)
        return {"status": "stored" if new else "known"}

    return routes
