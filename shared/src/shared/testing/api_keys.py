"""What every service that shops call does with their API keys: one check, which each service's tests run."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import httpx

from shared.contracts import ApiKeyChanged
from shared.ids import uuid7
from shared.keys.models import hash_of, new_key
from shared.testing.stage import Stage

#: Sends one request with this key.
Call = Callable[[str], Awaitable[httpx.Response]]


def changed(key: str, **fields: object) -> ApiKeyChanged:
    """The event of a key of `esimka`."""
    known: dict[str, object] = {
        "key_id": uuid7(),
        "storefront": "esimka",
        "hash": hash_of(key).hex(),
        "scopes": ("orders:read", "orders:write", "refunds"),
        "created_at": datetime.now(UTC),
    }
    return ApiKeyChanged.model_validate(known | fields)


async def check_keys(stage: Stage, call: Call, scope: str) -> None:
    """Keys that ordering publishes are accepted and refused; `call` sends a request that needs `scope`.

    The service under test is no sandbox deployment. Raises TimeoutError with the last answer.
    """
    admitted, narrow, expired, revoked_first = (new_key(test=False) for _ in range(4))
    test, now = new_key(test=True), datetime.now(UTC)
    await stage.eventually(lambda: _answers(call, admitted, (401, "unknown-api-key")))
    event = changed(admitted)
    others = {"orders:read", "orders:write", "refunds"} - {scope}
    ended = changed(revoked_first, revoked_at=now)
    await stage.publish(
        event,
        changed(narrow, scopes=(*sorted(others), "from-a-later-release")),
        changed(expired, expires_at=now - timedelta(seconds=1)),
        changed(test),
        ended,
        ended.model_copy(update={"revoked_at": None}),  # its creation arrives after its revocation
    )
    for key, expected in (
        (narrow, (403, "missing-scope")),
        (expired, (401, "expired-api-key")),
        (test, (403, "test-key")),
        (revoked_first, (401, "revoked-api-key")),
    ):
        await stage.eventually(partial(_answers, call, key, expected))
    await stage.eventually(lambda: _admits(call, admitted))
    await stage.publish(event.model_copy(update={"revoked_at": now}))
    await stage.eventually(lambda: _answers(call, admitted, (401, "revoked-api-key")))


async def _answers(call: Call, key: str, expected: tuple[int, str]) -> bool:
    return _problem(await call(key)) == expected


async def _admits(call: Call, key: str) -> bool:
    return (await call(key)).status_code not in {401, 403}


def _problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json().get("type", "")).removeprefix("urn:problem:")
