"""Who asks: the holder of an operations key, and the person on whose behalf a page or a script says it acts."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Annotated

from fastapi import Header
from pydantic import SecretStr

from shared.kernel.auth import ApiKeys
from shared.kernel.problems import Problem

_LONGEST = 80


def callers(keys: Mapping[str, SecretStr]) -> Callable[..., str]:
    """A dependency: the caller's name for the log, `operations (anna)`. Raises Problem (401, 422)."""
    known = ApiKeys(keys, asked="operations key", problem="unknown-operations-key")

    def caller(
        authorization: Annotated[str | None, Header()] = None,
        x_on_behalf_of: Annotated[
            str | None, Header(description="who uses the key: a signed-in person's name, for the log")
        ] = None,
    ) -> str:
        holder = known.holder(authorization)
        person = (x_on_behalf_of or "").strip()
        if len(person) > _LONGEST or not person.isprintable():
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "invalid-request",
                f"X-On-Behalf-Of is a name of at most {_LONGEST} printable characters.",
                errors=[{"field": "x-on-behalf-of", "message": f"must be at most {_LONGEST} printable characters"}],
            )
        return f"{holder} ({person})" if person else holder

    return caller
