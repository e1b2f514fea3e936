"""Dependencies of HTTP endpoints: the parts of the service that they need, and the agent who calls."""

from typing import Annotated

from fastapi import Depends, FastAPI, Request

from provisioning.operators.registry import Operators
from provisioning.settings import Settings
from shared.kernel.auth import ApiKeys, KeyHolder


def provide(app: FastAPI, settings: Settings, operators: Operators) -> None:
    """Give the endpoints of this app what the dependencies below return. Raises ValueError for a blank key."""
    app.state.settings = settings
    app.state.operators = operators
    app.state.agent_keys = ApiKeys(settings.agent_keys, asked="agent key", problem="unknown-agent-key")


def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


def _operators(request: Request) -> Operators:
    operators: Operators = request.app.state.operators
    return operators


def _agent_keys(request: Request) -> ApiKeys:
    keys: ApiKeys = request.app.state.agent_keys
    return keys


SettingsDependency = Annotated[Settings, Depends(_settings)]
OperatorsDependency = Annotated[Operators, Depends(_operators)]
#: Admits agents by their API key. Raises Problem (401).
agent = Depends(KeyHolder("agent", _agent_keys, description="`Authorization: Bearer <an agent's key>`"))
