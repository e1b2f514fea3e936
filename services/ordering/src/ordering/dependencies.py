"""What endpoints depend on: FastAPI dependencies, each as an annotated type.

`app.py` assembles `Dependencies` once and stores it as `app.state.dependencies`.
"""

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from pydantic import SecretStr

from ordering.catalogue import CatalogueFiles
from ordering.catalogue.models import Catalogue
from ordering.clients.personal_data import PersonalDataClient
from ordering.clients.webhook_receiver import WebhookReceiver
from ordering.contact import ConfirmationCodes
from ordering.contact.models import RequestedBy
from ordering.holds.models import LimitsOf
from ordering.intake import GroupCommit
from ordering.orders import Cursors
from ordering.timeline.models import AccountPages
from ordering.webhooks import SigningSecrets
from shared.kernel.auth import ApiKeys, KeyHolder, OnBehalfOf, in_the_name_of
from shared.kernel.privacy import PAGE_PROOF, page_proof
from shared.kernel.problems import Problem
from shared.keys.callers import ShopKeyHolder, calling_shop
from shared.keys.models import ShopCaller
from shared.keys.shop_keys import ShopKeys
from shared.telemetry.trace_links import TraceLinks
from shared.values.opaque import Credential


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Everything that the endpoints of this service use."""

    catalogue: CatalogueFiles
    shop_keys: ShopKeys
    agent_keys: ApiKeys
    operations_keys: ApiKeys
    #: Accepts the orders of `POST /orders`.
    orders: GroupCommit
    fraud_limits: LimitsOf
    trace_links: TraceLinks
    accounts: AccountPages
    cursors: Cursors
    #: None where the key of notifications is not configured.
    codes: ConfirmationCodes | None
    #: PRIVACY_KEY, with which the account page proves its requests; None where it is not configured.
    page_key: SecretStr | None
    personal_data: PersonalDataClient
    webhook_receiver: WebhookReceiver
    signing_secrets: SigningSecrets


def _dependencies(request: Request) -> Dependencies:
    dependencies: Dependencies = request.app.state.dependencies
    return dependencies


def _provide(read: Callable[[Dependencies], object]) -> Callable[[Request], Awaitable[object]]:
    """A FastAPI dependency that reads a value from `Dependencies`."""

    async def provide(request: Request) -> object:
        return read(_dependencies(request))

    return provide


async def _codes(request: Request) -> ConfirmationCodes:
    """Raises Problem (503) where this service cannot have codes sent."""
    codes = _dependencies(request).codes
    if codes is None:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "codes-not-configured",
            "Requests cannot be confirmed here: set NOTIFICATIONS_SEAL_PUBLIC_KEY.",
        )
    return codes


CatalogueNow = Annotated[Catalogue, Depends(_provide(lambda uses: uses.catalogue.current()))]
OrderGroups = Annotated[GroupCommit, Depends(_provide(lambda uses: uses.orders))]
FraudLimits = Annotated[LimitsOf, Depends(_provide(lambda uses: uses.fraud_limits))]
ListCursors = Annotated[Cursors, Depends(_provide(lambda uses: uses.cursors))]
Traces = Annotated[TraceLinks, Depends(_provide(lambda uses: uses.trace_links))]
Accounts = Annotated[AccountPages, Depends(_provide(lambda uses: uses.accounts))]
PersonalData = Annotated[PersonalDataClient, Depends(_provide(lambda uses: uses.personal_data))]
Receiver = Annotated[WebhookReceiver, Depends(_provide(lambda uses: uses.webhook_receiver))]
Signing = Annotated[SigningSecrets, Depends(_provide(lambda uses: uses.signing_secrets))]
Codes = Annotated[ConfirmationCodes, Depends(_codes)]
KeysInUse = Annotated[ShopKeys, Depends(_provide(lambda uses: uses.shop_keys))]

# --- callers ----------------------------------------------------------------------------------------------------------


def _shop_keys(request: Request) -> ShopKeys:
    return _dependencies(request).shop_keys


def _agent_keys(request: Request) -> ApiKeys:
    return _dependencies(request).agent_keys


#: The schemes describe the key in OpenAPI where two kinds of caller are allowed; the keys read the header themselves.
_ShopScheme = Annotated[
    HTTPAuthorizationCredentials | None, Security(HTTPBearer(scheme_name="storefront", auto_error=False))
]
_AgentScheme = Annotated[
    HTTPAuthorizationCredentials | None, Security(HTTPBearer(scheme_name="agent", auto_error=False))
]
_OperationsScheme = Annotated[
    HTTPAuthorizationCredentials | None, Security(HTTPBearer(scheme_name="operations", auto_error=False))
]


async def _shop(caller: Annotated[ShopCaller, Security(ShopKeyHolder(_shop_keys))]) -> str:
    return caller.storefront


async def _shop_or_person(
    request: Request, needed: SecurityScopes, _shop: _ShopScheme, _operations: _OperationsScheme, _agent: _AgentScheme
) -> str | None:
    return await _shop_or_none(request, needed, _dependencies(request).operations_keys, _agent_keys(request))


async def _shop_or_agent(
    request: Request, needed: SecurityScopes, _shop: _ShopScheme, _agent: _AgentScheme
) -> str | None:
    return await _shop_or_none(request, needed, _agent_keys(request))


async def _shop_or_none(request: Request, needed: SecurityScopes, *others: ApiKeys) -> str | None:
    """The calling shop; None for a caller with one of the `others`' keys. Raises Problem (401, 403)."""
    authorization = request.headers.get("authorization")
    if any(keys.known(authorization) is not None for keys in others):
        return None
    return (await calling_shop(_shop_keys(request), request, needed.scopes)).storefront


#: The slug of the calling shop, by a key with that scope. Raises Problem (401, 403) for any other caller.
ReadingShop = Annotated[str, Security(_shop, scopes=["orders:read"])]
WritingShop = Annotated[str, Security(_shop, scopes=["orders:write"])]
#: The same, with what is known of the key.
WritingCaller = Annotated[ShopCaller, Security(ShopKeyHolder(_shop_keys), scopes=["orders:write"])]
#: The slug of the calling shop, by any of its keys: for what every shop may know of itself.
CallingShop = Annotated[str, Security(_shop)]
#: The name of the calling agent. Raises Problem (401) for any other caller.
CallingAgent = Annotated[str, Depends(KeyHolder("agent", _agent_keys))]


def _acting_agent(agent: CallingAgent, x_on_behalf_of: OnBehalfOf = None) -> str:
    return in_the_name_of(x_on_behalf_of, agent)


#: The same, with the person in whose name the agent's key is used: `support (anna)`. Raises Problem (401, 422).
ActingAgent = Annotated[str, Depends(_acting_agent)]
#: Whose orders, or privacy requests, the caller may see: a shop its own; operations people and agents any (None).
OrdersOf = Annotated[str | None, Security(_shop_or_person, scopes=["orders:read"])]
RequestsOf = Annotated[str | None, Security(_shop_or_agent, scopes=["orders:read"])]


@dataclass(frozen=True, slots=True)
class Proof:
    """What a request for a code shows to prove that it comes from an order's account page."""

    key: SecretStr | None
    value: str | None

    def requested_by(self, order_id: UUID) -> RequestedBy:
        """`page` if the proof is valid for this order."""
        if self.key is None or self.value is None:
            return "shop"
        expected = page_proof(self.key, order_id)
        return "page" if hmac.compare_digest(expected.encode(), self.value.encode()) else "shop"


async def _page_proof(
    request: Request,
    value: Annotated[
        Credential | None, Header(alias=PAGE_PROOF, description="proof that the request comes from our account page")
    ] = None,
) -> Proof:
    return Proof(_dependencies(request).page_key, value)


PageProof = Annotated[Proof, Depends(_page_proof)]
