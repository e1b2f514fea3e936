"""Who is calling: a storefront, for its own orders, or an agent, for all."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import Request
from pydantic import SecretStr

from shared.kernel.auth import StorefrontKeys
from shared.kernel.problems import Problem


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
        self._storefronts = StorefrontKeys({name: key.get_secret_value() for name, key in storefronts.items()})
        self._agents = StorefrontKeys({name: key.get_secret_value() for name, key in agents.items()})

    def agent(self, request: Request) -> Caller:
        """The agent who asks. Raises Problem (401)."""
        header = request.headers.get("authorization")
        try:
            return Caller(f"agent:{self._agents.storefront(header)}", None)
        except Problem:
            raise _unknown("Send your agent key as `Authorization: Bearer <key>`.") from None

    def anyone(self, request: Request) -> Caller:
        """The shop or agent who asks. Raises Problem (401)."""
        header = request.headers.get("authorization")
        try:
            return self.agent(request)
        except Problem:
            pass
        try:
            slug = self._storefronts.storefront(header)
        except Problem:
            raise _unknown("Send your storefront's or agent key as `Authorization: Bearer <key>`.") from None
        return Caller(f"storefront:{slug}", slug)


def _unknown(detail: str) -> Problem:
    return Problem(HTTPStatus.UNAUTHORIZED, "unknown-api-key", detail, headers={"WWW-Authenticate": "Bearer"})
