"""Telling the shop how an asynchronous order ended: signed with HMAC-SHA512 and sent until it is answered with 200."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import httpx

from sandbox.exchange import overlay
from sandbox.faults import FaultBook, Rule
from sandbox.outward import new_client
from sandbox.settings import Settings

FORGED = {"data": {"description": "forged"}}


class AiraloWebhooks:
    """Background tasks; the last body to each request id is kept, so that it can be replayed."""

    def __init__(self, settings: Settings, faults: FaultBook) -> None:
        self._settings = settings
        self._faults = faults
        self._tasks: set[asyncio.Task[None]] = set()
        self._client = new_client(timeout=settings.webhook_timeout_seconds)
        self.sent: dict[str, tuple[str, bytes]] = {}

    async def probe(self, url: str) -> bool:
        """Whether a HEAD of the address is answered with 200."""
        try:
            return (await self._client.head(url)).status_code == httpx.codes.OK
        except (httpx.HTTPError, httpx.InvalidURL):
            return False

    def after(self, seconds: float, settle: Callable[[], None]) -> None:
        """Do something in a moment."""

        async def run() -> None:
            await self._faults.pause(seconds)
            settle()

        self._spawn(run())

    def announce(self, request_id: str, url: str, description: str, body: dict[str, Any]) -> None:
        """Send it, as the fault book allows."""
        fields = {"request_id": request_id, "description": description}
        rules = self._faults.take("airalo.webhook", fields)
        self.sent[request_id] = (url, json.dumps(body).encode())
        if not any(rule.effect == "drop" for rule in rules):
            self._spawn(self._play(url, body, rules))

    async def once(self, url: str, content: bytes, signature: str | None = None) -> int | None:
        """One attempt: the answer's HTTP status. `signature` None: the genuine one; empty: none at all."""
        headers = {"content-type": "application/json"}
        signed = self.sign(content) if signature is None else signature
        if signed:
            headers["airalo-signature"] = signed
        try:
            return (await self._client.post(url, content=content, headers=headers)).status_code
        except (httpx.HTTPError, httpx.InvalidURL):
            return None

    def sign(self, content: bytes) -> str:
        """HMAC-SHA512 of the raw body, keyed by the client secret."""
        return hmac.new(self._settings.airalo_client_secret.encode(), content, hashlib.sha512).hexdigest()

    async def idle(self) -> None:
        """Return when nothing is being sent any more."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def cancel_all(self) -> None:
        """Forget what is under way (a reset)."""
        self.sent.clear()
        for task in self._tasks:
            task.cancel()

    async def close(self) -> None:
        """Stop sending."""
        self.cancel_all()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    def _spawn(self, work: Any) -> None:
        async def run() -> None:
            await work

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _play(self, url: str, body: dict[str, Any], rules: tuple[Rule, ...]) -> None:
        await self._faults.pause(sum(rule.seconds for rule in rules if rule.effect in {"latency", "delay"}))
        struck = next((rule for rule in rules if rule.effect not in {"latency", "delay"}), None)
        if struck and struck.effect == "forge":
            forged = overlay(body, struck.fields or FORGED)
            await self.once(url, json.dumps(forged).encode(), "0" * 128)
        await self._deliver(url, json.dumps(body).encode())
        if struck and struck.effect == "duplicate":
            for _ in range(struck.count - 1):
                await self.once(url, json.dumps(body).encode())

    async def _deliver(self, url: str, content: bytes) -> None:
        wait = self._settings.webhook_first_retry_seconds
        for _ in range(self._settings.airalo_webhook_attempts):
            if await self.once(url, content) == httpx.codes.OK:
                return
            await asyncio.sleep(wait)
            wait = min(wait * 2, self._settings.webhook_longest_retry_seconds)
