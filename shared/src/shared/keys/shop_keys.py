"""Checks the API keys of shops: those of the setting STOREFRONT_KEYS, and those that were created at run time.

A request is admitted when it has arrived with its whole body (`callers.py`). A revocation changes nothing for requests
that were admitted before: each is done or refused as a whole, never half. What is known of a key is at most
CACHED_SECONDS old, so after that time no request is admitted any more.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from http import HTTPStatus
from uuid import UUID

from pydantic import SecretStr

from shared.clock import Clock
from shared.database import Database
from shared.kernel.auth import ApiKeys, bearer_token
from shared.kernel.problems import Problem
from shared.keys import store
from shared.keys.models import SCOPES, ShopCaller, StoredKey, has_key_form, hash_of, is_test_key
from shared.supervision import Loop

#: How old the stored state may be that a request is checked against. It spares a busy shop a read for each request,
#: and a revocation is in force everywhere before a person has left the page of it.
CACHED_SECONDS = 1.0
#: How often the times of last use are written, for all keys together: "used this minute" is as exact as anybody asks.
_RECORD_SECONDS = 60.0


class ShopKeys:
    """The keys of shops. `configured`: STOREFRONT_KEYS, which have all scopes and end with a restart only.

    `sandbox`: whether keys for tests are accepted. Raises ValueError for a blank key.
    """

    def __init__(
        self,
        database: Database,
        configured: Mapping[str, SecretStr],
        *,
        sandbox: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.sandbox = sandbox
        #: The shops with a key in STOREFRONT_KEYS.
        self.configured = frozenset(configured)
        self._database = database
        self._clock: Clock = database.clock
        self._keys = ApiKeys(configured)
        self._monotonic = monotonic
        self._cached: dict[bytes, tuple[StoredKey, float]] = {}
        self._used: dict[UUID, datetime] = {}

    async def caller(self, header: str | None, scopes: Iterable[str] = ()) -> ShopCaller:
        """The shop with the key of this `Authorization` header. Raises Problem (401, 403)."""
        token = bearer_token(header)
        caller = self._configured_caller(token) or await self._stored_caller(token)
        if caller is None:
            raise _unauthorized("unknown-api-key", "Send your storefront's API key as `Authorization: Bearer <key>`.")
        if caller.test and not self.sandbox:
            raise Problem(
                HTTPStatus.FORBIDDEN,
                "test-key",
                "A key for tests is accepted by a sandbox deployment only. Nothing was done; send a live key here.",
            )
        if missing := [scope for scope in scopes if scope not in caller.scopes]:
            raise Problem(
                HTTPStatus.FORBIDDEN,
                "missing-scope",
                f"This request needs a key with the scope {', '.join(missing)}.",
                headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{" ".join(missing)}"'},
            )
        if caller.key_id is not None:
            self._used[caller.key_id] = self._clock.now()
        return caller

    def forget(self) -> None:
        """Read the state of every key again: one was changed in this process."""
        self._cached.clear()

    def _configured_caller(self, token: str) -> ShopCaller | None:
        shop = self._keys.known(token)
        return None if shop is None else ShopCaller(shop, frozenset(SCOPES), None, is_test_key(token))

    async def _stored_caller(self, token: str) -> ShopCaller | None:
        """The shop with a key of the table; None where there is no such key. Raises Problem (401)."""
        if not has_key_form(token):
            return None
        key = await self._stored(hash_of(token))
        if key is None:
            return None
        match key.state(self._clock.now()):
            case "revoked":
                raise _unauthorized("revoked-api-key", "This API key was revoked; ask for a new one.")
            case "expired":
                raise _unauthorized("expired-api-key", "This API key has expired; ask for a new one.")
            case "valid":
                return ShopCaller(key.storefront, key.scopes, key.key_id, is_test_key(token))

    async def _stored(self, key_hash: bytes) -> StoredKey | None:
        """A key that is not there is not remembered: it may be created, or published, at any moment."""
        cached = self._cached.get(key_hash)
        if cached is not None and self._monotonic() < cached[1]:
            return cached[0]
        asked = self._monotonic()
        async with self._database.reading() as tx:
            key = await store.find(tx, key_hash)
        if key is not None:
            self._cached[key_hash] = (key, asked + CACHED_SECONDS)
        return key

    # --- last use -------------------------------------------------------------------------------------------------

    async def run(self, loop: Loop) -> None:
        """Write the times of last use once a minute, until cancelled."""
        await loop.repeat(self.record_uses, _RECORD_SECONDS, "key_uses_not_recorded")

    async def record_uses(self) -> None:
        """Write what is not written yet; also the last step of a graceful stop. Raises what the database raises."""
        used, self._used = self._used, {}
        if not used:
            return
        try:
            async with self._database.transaction("keys") as tx:
                await store.record_uses(tx, used)
        except BaseException:
            self._used = used | self._used
            raise


def _unauthorized(kind: str, detail: str) -> Problem:
    return Problem(HTTPStatus.UNAUTHORIZED, kind, detail, headers={"WWW-Authenticate": "Bearer"})
