"""The caller of `/operations`: the holder of an operations key, and the person on whose behalf the holder acts."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, FastAPI, Header, Request
from pydantic import SecretStr

from shared.kernel.auth import ApiKeys, KeyHolder
from shared.kernel.problems import Problem

_LONGEST = 80


def use_operations_keys(app: FastAPI, keys: Mapping[str, SecretStr]) -> None:
    """The keys that `caller` accepts in this app. Raises ValueError for a blank key."""
    app.state.operations_keys = ApiKeys(keys, asked="operations key", problem="unknown-operations-key")


def _operations_keys(request: Request) -> ApiKeys:
    """The operations keys of the app that serves this request."""
    keys: ApiKeys = request.app.state.operations_keys
    return keys


_holder = KeyHolder("operations", _operations_keys, description="`Authorization: Bearer <an operations key>`")


def caller(
    holder: Annotated[str, Depends(_holder)],
    x_on_behalf_of: Annotated[
        str | None, Header(description="who uses the key: a signed-in person's name, for the log")
    ] = None,
) -> str:
    """A dependency: the caller's name for the log, `operations (anna)`. Raises Problem (401, 422)."""
    person = (x_on_behalf_of or "").strip()
    if len(person) > _LONGEST or not person.isprintable():
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "invalid-request",
            f"X-On-Behalf-Of is a name of at most {_LONGEST} printable characters.",
            errors=[{"field": "x-on-behalf-of", "message": f"must be at most {_LONGEST} printable characters"}],
        )
    return f"{holder} ({person})" if person else holder


Caller = Annotated[str, Depends(caller)]
