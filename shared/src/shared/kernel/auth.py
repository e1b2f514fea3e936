"""API keys of storefronts, agents and services: FastAPI security schemes that compare keys in constant time."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Annotated

from fastapi import Header, Request
from fastapi.security import HTTPBearer
from pydantic import SecretStr

from shared.kernel.problems import Problem

_LONGEST_NAME = 80


def bearer_token(header: str | None) -> str:
    """The token of an `Authorization: Bearer <token>` (RFC 9110 section 11.1: the scheme in any case), or a bare one.

    Empty where there is none.
    """
    scheme, _, token = (header or "").strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else (header or "").strip()


class ApiKeys:
    """API keys by the name of their holder. Only their hashes are kept in memory. Raises ValueError for a blank key.

    `asked` is what a refusal tells the caller to send ("Send your ..."), `problem` the refusal's type.
    """

    def __init__(
        self,
        keys: Mapping[str, SecretStr],
        *,
        asked: str = "storefront's API key",
        problem: str = "unknown-api-key",
    ) -> None:
        if blank := [name for name, key in keys.items() if not key.get_secret_value().strip()]:
            raise ValueError(f"a blank key would admit every caller: {', '.join(blank)}")
        self._hashes = {name: _hash(key.get_secret_value()) for name, key in keys.items()}
        self._asked = asked
        self._problem = problem

    def known(self, header: str | None) -> str | None:
        """The holder of an `Authorization: Bearer <key>` or of a bare key; None where the key is unknown."""
        token = bearer_token(header)
        offered, holder = _hash(token), None
        for name, known in self._hashes.items():
            if hmac.compare_digest(offered, known):
                holder = name
        return holder if token else None

    def holder(self, header: str | None) -> str:
        """The holder of the key. Raises Problem (401) where the key is unknown."""
        holder = self.known(header)
        if holder is None:
            raise Problem(
                HTTPStatus.UNAUTHORIZED,
                self._problem,
                f"Send your {self._asked} as `Authorization: Bearer <key>`.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return holder


class KeyHolder(HTTPBearer):
    """A FastAPI dependency: the name of the key's holder. Raises Problem (401).

    `keys` finds the keys of the app that serves the request, so that endpoints can be module-level functions:
    `Annotated[str, Depends(KeyHolder("storefront", lambda request: request.app.state.storefront_keys))]`.
    """

    def __init__(self, scheme_name: str, keys: Callable[[Request], ApiKeys], *, description: str | None = None) -> None:
        super().__init__(scheme_name=scheme_name, description=description, auto_error=False)
        self._keys = keys

    async def __call__(self, request: Request) -> str:  # type: ignore[override] # the holder instead of the key
        return self._keys(request).holder(request.headers.get("authorization"))


OnBehalfOf = Annotated[str | None, Header(description="who uses the key: a signed-in person's name, for the log")]


def in_the_name_of(person: str | None, holder: str) -> str:
    """Who acts, for a log: `operations (anna)`, or the holder of the key alone. Raises Problem (422)."""
    name = (person or "").strip()
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "invalid-request",
            f"X-On-Behalf-Of is a name of at most {_LONGEST_NAME} printable characters.",
            errors=[{"field": "x-on-behalf-of", "message": f"must be at most {_LONGEST_NAME} printable characters"}],
        )
    return f"{holder} ({name})" if name else holder


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
