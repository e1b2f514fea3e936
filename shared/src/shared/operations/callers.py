"""The caller of `/operations`: the holder of an operations key, and the person on whose behalf the holder acts."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from pydantic import SecretStr

from shared.kernel.auth import ApiKeys, KeyHolder, OnBehalfOf, in_the_name_of


def use_operations_keys(app: FastAPI, keys: Mapping[str, SecretStr]) -> None:
    """The keys that `caller` accepts in this app. Raises ValueError for a blank key."""
    app.state.operations_keys = ApiKeys(keys, asked="operations key", problem="unknown-operations-key")


def _operations_keys(request: Request) -> ApiKeys:
    """The operations keys of the app that serves this request."""
    keys: ApiKeys = request.app.state.operations_keys
    return keys


_holder = KeyHolder("operations", _operations_keys, description="`Authorization: Bearer <an operations key>`")


def caller(holder: Annotated[str, Depends(_holder)], x_on_behalf_of: OnBehalfOf = None) -> str:
    """A dependency: the caller's name for the log, `operations (anna)`. Raises Problem (401, 422)."""
    return in_the_name_of(x_on_behalf_of, holder)


Caller = Annotated[str, Depends(caller)]
