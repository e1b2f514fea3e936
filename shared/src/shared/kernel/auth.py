"""Who is calling: storefronts by API key, compared in constant time."""

import hashlib
import hmac
from collections.abc import Mapping
from http import HTTPStatus

from shared.kernel.problems import Problem


class StorefrontKeys:
    """API keys by storefront. Only their hashes are kept in memory."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._hashes = {slug: _hash(key) for slug, key in keys.items()}

    def storefront(self, header: str | None) -> str:
        """The storefront that this `Authorization: Bearer <key>` or bare key belongs to. Raises Problem (401)."""
        offered = _hash((header or "").removeprefix("Bearer ").strip())
        found = None
        for slug, known in self._hashes.items():
            if hmac.compare_digest(offered, known):
                found = slug
        if not header or found is None:
            raise Problem(
                HTTPStatus.UNAUTHORIZED,
                "unknown-api-key",
                "Send your storefront's API key as `Authorization: Bearer <key>`.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return found


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
