"""Limits of requests per key, and the headers that show a caller how much is left.

Headers: `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers), `Retry-After` with 429. Counted per
instance, in memory: with n instances a key has up to n times as much, and a restart begins anew. A limit protects the
others from one caller's loop; it is no quota.
"""

import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.kernel.auth import bearer_token
from shared.kernel.problems import LimitReachedError

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_WINDOW = timedelta(minutes=1)
#: Keys that are counted at once. Whoever sends others fills the memory with so many, and then only forgets the oldest.
_MAX_KEYS = 10_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a request found: whether it is allowed, how many more are, and the seconds until all or one of them are."""

    policy: str
    quota: int
    allowed: bool
    remaining: int
    full_in: int
    again_in: float

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the answer."""
        return {
            "RateLimit-Policy": f'"{self.policy}";q={self.quota};w={int(_WINDOW.total_seconds())}',
            "RateLimit": f'"{self.policy}";r={self.remaining};t={self.full_in}',
        }


class RateLimits:
    """Counts requests by key: so many reads and so many writes in a minute, all of them at once or evenly.

    The generic cell rate algorithm: each key has one moment, at which all of its requests are allowed again.
    """

    def __init__(self, reads: int, writes: int, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._quotas = {"reads": reads, "writes": writes}
        self._timer = timer
        self._full_at: OrderedDict[tuple[bytes, str], float] = OrderedDict()

    def take(self, token: str, method: str) -> Allowance:
        """Count a request of this key, unless none is allowed now."""
        policy = "reads" if method in _READING else "writes"
        quota, window, now = self._quotas[policy], _WINDOW.total_seconds(), self._timer()
        key = (hashlib.sha256(token.encode()).digest(), policy)
        share = window / quota
        full_at = max(now, self._full_at.get(key, now))
        again_in = full_at + share - window - now
        # A rounding error of a nanosecond must not refuse the last request of a quota.
        allowed = again_in < 1e-6  # noqa: PLR2004 - explained
        if allowed:
            full_at += share
            self._full_at[key] = full_at
            self._full_at.move_to_end(key)
            if len(self._full_at) > _MAX_KEYS:
                self._full_at.popitem(last=False)
        remaining = max(0, math.floor((window - (full_at - now)) / share + 1e-6))
        return Allowance(policy, quota, allowed, remaining, math.ceil(full_at - now), max(0.0, again_in))


class RateLimited:
    """ASGI middleware: limits the requests that show a key, known or not. `limited` hears of each that was refused."""

    def __init__(self, app: ASGIApp, limits: RateLimits, limited: Callable[[str], None]) -> None:
        self._app = app
        self._limits = limits
        self._limited = limited

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = bearer_token(Headers(scope=scope).get("authorization")) if scope["type"] == "http" else ""
        if not token:
            await self._app(scope, receive, send)
            return
        allowance = self._limits.take(token, scope["method"])

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(allowance.headers)
            await send(message)

        if allowance.allowed:
            await self._app(scope, receive, with_headers)
            return
        problem = LimitReachedError(
            "requests",
            f"At most {allowance.quota} {allowance.policy} a minute with one key; send this request again later.",
            again=timedelta(seconds=allowance.again_in),
        )
        self._limited(problem.limit)
        await problem.response()(scope, receive, with_headers)
