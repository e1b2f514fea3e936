"""Who may look: agents, by API key."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Header

from shared.kernel.auth import ApiKeys


def agent_only(agents: ApiKeys) -> Callable[..., str]:
    """A dependency that admits agents, by name. Raises Problem (401)."""

    def agent(authorization: Annotated[str | None, Header()] = None) -> str:
        return agents.holder(authorization)

    return agent
