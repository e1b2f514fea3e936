"""Who calls the HTTP interface: a storefront, for its own orders, or an agent, for all. FastAPI dependencies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer, SecurityScopes
from pydantic import SecretStr

from shared.kernel.auth import ApiKeys
from shared.kernel.problems import Problem
from shared.keys.callers import calling_shop
from shared.keys.shop_keys import ShopKeys


@dataclass(slots=True, frozen=True)
class Caller:
    """`who` is written into the audit trail; `storefront` is None for an agent."""

    who: str
    storefront: str | None

    @property
    def is_agent(self) -> bool:
        return self.storefront is None


class Callers:
    """Recognises storefronts and agents by their API keys."""

    def __init__(self, storefronts: ShopKeys, agents: Mapping[str, SecretStr]) -> None:
        self._storefronts = storefronts
        self._agents = ApiKeys(agents, asked="agent key")

    def agent(self, authorization: str | None) -> Caller:
        """The agent with this key. Raises Problem (401)."""
        return Caller(f"agent:{self._agents.holder(authorization)}", None)

    async def anyone(self, request: Request, scopes: Sequence[str]) -> Caller:
        """The agent who calls, or the storefront if its key has these scopes. Raises Problem (401, 403)."""
        if (name := self._agents.known(request.headers.get("authorization"))) is not None:
            return Caller(f"agent:{name}", None)
        slug = (await calling_shop(self._storefronts, request, scopes)).storefront
        return Caller(f"storefront:{slug}", slug)


class _Authorization(HTTPBearer):
    """The `Authorization` header as it was sent: `ApiKeys` also accepts a key without the word `Bearer`."""

    async def __call__(self, request: Request) -> str | None:  # type: ignore[override] # see above
        return request.headers.get("authorization")


_AGENT_KEY = _Authorization(scheme_name="agent", description="`Authorization: Bearer <an agent's key>`")
_STOREFRONT_KEY = _Authorization(
    scheme_name="storefront", description="`Authorization: Bearer <the storefront's API key>`"
)


def _callers(request: Request) -> Callers:
    callers: Callers = request.app.state.callers
    return callers


def _agent(
    authorization: Annotated[str | None, Depends(_AGENT_KEY)], callers: Annotated[Callers, Depends(_callers)]
) -> Caller:
    return callers.agent(authorization)


async def _anyone(
    request: Request,
    needed: SecurityScopes,
    _shops_header: Annotated[str | None, Depends(_STOREFRONT_KEY)],
    _agents_header: Annotated[str | None, Depends(_AGENT_KEY)],  # the OpenAPI document names both: either is enough
    callers: Annotated[Callers, Depends(_callers)],
) -> Caller:
    return await callers.anyone(request, needed.scopes)


#: An agent. Others are answered 401.
AgentCaller = Annotated[Caller, Depends(_agent)]
#: A storefront by a key for refunds, or an agent. Others are answered 401, a storefront's other keys 403.
AnyCaller = Annotated[Caller, Security(_anyone, scopes=["refunds"])]


def _shop(caller: AnyCaller) -> str:
    if caller.storefront is None:
        raise Problem(HTTPStatus.FORBIDDEN, "for-shops", "This is for a shop's own server, with a key of the shop.")
    return caller.storefront


#: The slug of a storefront, by a key for refunds. Agents are answered 403.
CallingShop = Annotated[str, Depends(_shop)]
