"""Who may look: agents, by API key."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Header

from shared.kernel.auth import StorefrontKeys
from shared.kernel.problems import Problem


def agent_only(agents: StorefrontKeys) -> Callable[..., str]:
    """A dependency that admits agents, by name. Raises Problem (401)."""

    def agent(authorization: Annotated[str | None, Header()] = None) -> str:
        try:
            return agents.storefront(authorization)
        except Problem as problem:
            detail = "Send your agent key as `Authorization: Bearer <key>`."
            raise Problem(problem.status, "unknown-agent-key", detail, headers=problem.headers) from None

    return agent
