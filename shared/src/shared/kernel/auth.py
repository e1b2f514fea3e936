"""Who is calling: storefronts, agents and services by API key, compared in constant time."""

import hashlib
import hmac
from collections.abc import Mapping
from http import HTTPStatus

from pydantic import SecretStr

from shared.kernel.problems import Problem


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
            raise ValueError(f"a blank key would open the door to everybody: {', '.join(blank)}")
        self._hashes = {name: _hash(key.get_secret_value()) for name, key in keys.items()}
        self._asked = asked
        self._problem = problem

    def known(self, header: str | None) -> str | None:
        """Whose key this `Authorization: Bearer <key>` or bare key is; None where it is nobody's."""
        token = bearer_token(header)
        offered, found = _hash(token), None
        for name, known in self._hashes.items():
            if hmac.compare_digest(offered, known):
                found = name
        return found if token else None

    def holder(self, header: str | None) -> str:
        """Whose key this is. Raises Problem (401) where it is nobody's."""
        found = self.known(header)
        if found is None:
            raise Problem(
                HTTPStatus.UNAUTHORIZED,
                self._problem,
                f"Send your {self._asked} as `Authorization: Bearer <key>`.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return found


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
