"""Calls to the reseller with a bearer token, which is renewed once when the reseller does not accept it any more."""

import asyncio
import time
from http import HTTPStatus
from typing import Any

import httpx

from provisioning.clients.airalo.messages import read_token
from provisioning.clients.context import ClientContext
from provisioning.clients.fields import Unparsed
from provisioning.clients.http_calls import Caller, NoReply
from provisioning.clients.http_pool import HttpPool
from provisioning.clients.models import OperatorNotSent
from provisioning.settings import OperatorSettings

_CREDENTIALS = ("client_id", "client_secret")
#: How long before its end a token is renewed.
_MARGIN_SECONDS = 60.0


class Session:
    """Calls with a bearer token. The token endpoint allows only 3 calls a minute, so the token is kept."""

    def __init__(self, settings: OperatorSettings, context: ClientContext) -> None:
        missing = [name for name in _CREDENTIALS if name not in settings.credentials]
        if missing:
            raise ValueError(f"operator {settings.name}: credentials.{', credentials.'.join(missing)} missing")
        self._credentials = {name: settings.credentials[name].get_secret_value() for name in _CREDENTIALS}
        base = (settings.url or "").rstrip("/") + "/"
        headers = {"Accept": "application/json"}
        pool = HttpPool(base, headers, settings.timeout_seconds, settings.concurrency)
        self._caller = Caller(settings.name, "Airalo", pool, context.tracing, context.calls)
        self._operator = settings.name
        self._unparsed_fields = context.unparsed_fields
        self._lock = asyncio.Lock()
        self._token = ""
        self._good_until = 0.0

    @property
    def authorized(self) -> bool:
        """Whether there is a token that should be valid."""
        return bool(self._token) and time.monotonic() < self._good_until

    async def authorize(self, trace: str | None) -> OperatorNotSent | None:
        """Get a token where there is none; returns why there is none."""
        async with self._lock:
            return None if self.authorized else await self._new_token(trace)

    async def call(
        self, function: str, method: str, path: str, trace: str | None, body: Any = None
    ) -> httpx.Response | NoReply:
        """Make one call. `NoReply(reached=False)`: there was no token or no connection, so nothing happened."""
        for again in (False, True):
            if isinstance(denied := await self.authorize(trace), OperatorNotSent):
                return NoReply(denied.reason, reached=False)
            token = self._token
            answer = await self._exchange(function, method, path, trace, body, {"Authorization": f"Bearer {token}"})
            if isinstance(answer, NoReply) or answer.status_code != HTTPStatus.UNAUTHORIZED or again:
                return answer
            await self._forget(token)
        raise AssertionError("the second try answers")

    async def close(self) -> None:
        """Close the connections."""
        await self._caller.close()

    async def _forget(self, token: str) -> None:
        async with self._lock:
            if self._token == token:
                self._token = ""

    async def _new_token(self, trace: str | None) -> OperatorNotSent | None:
        body = self._credentials | {"grant_type": "client_credentials"}
        answer = await self._exchange("token", "POST", "token", trace, body, {})
        if isinstance(answer, NoReply):
            return OperatorNotSent(f"token: {answer.reason}")
        unparsed: Unparsed = set()
        token = read_token(answer.content, unparsed) if answer.is_success else None
        self._unparsed_fields.count(self._operator, unparsed)
        if token is None:
            return OperatorNotSent(f"token: HTTP {answer.status_code}")
        self._token, seconds = token
        self._good_until = time.monotonic() + max(_MARGIN_SECONDS, seconds - _MARGIN_SECONDS)
        return None

    async def _exchange(
        self, function: str, method: str, path: str, trace: str | None, body: Any, headers: dict[str, str]
    ) -> httpx.Response | NoReply:
        span = self._caller.start(function, trace)
        answer = await self._caller.exchange(span, method, path, body, headers)
        if isinstance(answer, NoReply):
            outcome = "no_answer" if answer.reached else "not_reached"
            self._caller.end(span, function, outcome, answer.reason, successful=False)
        else:
            outcome = "executed" if answer.is_success else "failed"
            self._caller.end(span, function, outcome, f"HTTP {answer.status_code}", successful=answer.is_success)
        return answer
