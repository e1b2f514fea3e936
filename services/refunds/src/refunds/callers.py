"""Who calls the HTTP interface: a storefront, for its own orders, or an agent, for all. FastAPI dependencies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from pydantic import SecretStr

from shared.kernel.auth import ApiKeys


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

    def __init__(self, storefronts: Mapping[str, SecretStr], agents: Mapping[str, SecretStr]) -> None:
        self._storefronts = ApiKeys(storefronts, asked="storefront's or agent key")
        self._agents = ApiKeys(agents, asked="agent key")

    def agent(self, authorization: str | None) -> Caller:
        """The agent with this key. Raises Problem (401)."""
        return Caller(f"agent:{self._agents.holder(authorization)}", None)

    def anyone(self, authorization: str | None) -> Caller:
        """The storefront or agent with this key. Raises Problem (401)."""
        if (name := self._agents.known(authorization)) is not None:
            return Caller(f"agent:{name}", None)
        slug = self._storefronts.holder(authorization)
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


def _anyone(
    authorization: Annotated[str | None, Depends(_STOREFRONT_KEY)],
    _same_header: Annotated[str | None, Depends(_AGENT_KEY)],  # the OpenAPI document names both: either is enough
    callers: Annotated[Callers, Depends(_callers)],
) -> Caller:
    return callers.anyone(authorization)


#: An agent. Others are answered 401.
AgentCaller = Annotated[Caller, Depends(_agent)]
#: A storefront or an agent. Others are answered 401.
AnyCaller = Annotated[Caller, Depends(_anyone)]
