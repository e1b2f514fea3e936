"""Who is calling: a storefront, for its own orders, or an agent, for all."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request
from pydantic import SecretStr

from shared.kernel.auth import ApiKeys


@dataclass(slots=True, frozen=True)
class Caller:
    """`who` goes into the audit trail; `storefront` is None for an agent."""

    who: str
    storefront: str | None

    @property
    def is_agent(self) -> bool:
        return self.storefront is None


class Callers:
    """Knows shops and agents by their keys."""

    def __init__(self, storefronts: Mapping[str, SecretStr], agents: Mapping[str, SecretStr]) -> None:
        self._storefronts = ApiKeys(storefronts, asked="storefront's or agent key")
        self._agents = ApiKeys(agents, asked="agent key")

    def agent(self, request: Request) -> Caller:
        """The agent who asks. Raises Problem (401)."""
        return Caller(f"agent:{self._agents.holder(request.headers.get('authorization'))}", None)

    def anyone(self, request: Request) -> Caller:
        """The shop or agent who asks. Raises Problem (401)."""
        header = request.headers.get("authorization")
        if (name := self._agents.known(header)) is not None:
            return Caller(f"agent:{name}", None)
        slug = self._storefronts.holder(header)
        return Caller(f"storefront:{slug}", slug)
