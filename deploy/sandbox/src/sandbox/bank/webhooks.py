"""Telling the shop: postLink and failurePostLink, in the background, again until it answers 200."""

import asyncio
import json
import logging
from collections.abc import Coroutine
from typing import Any

import httpx

from sandbox.bank.ledger import BankLedger, Transaction
from sandbox.bank.wire import webhook_body
from sandbox.clock import now
from sandbox.exchange import overlay
from sandbox.faults import FaultBook, Rule
from sandbox.outward import new_client
from sandbox.settings import Settings

logger = logging.getLogger(__name__)
FORGED = {"secret_hash": "forged"}


class WebhookSender:
    """Sends webhooks as background tasks of its own."""

    def __init__(self, settings: Settings, ledger: BankLedger, faults: FaultBook) -> None:
        self._settings = settings
        self._ledger = ledger
        self._faults = faults
        self._tasks: set[asyncio.Task[None]] = set()
        self._client = new_client(timeout=settings.webhook_timeout_seconds)

    def resume(self) -> None:
        """Go on with what an earlier run had not delivered."""
        for transaction in self._ledger.book:
            if transaction.webhook.state == "pending":
                self._spawn(self._deliver(transaction, webhook_body(transaction)))

    def announce(self, transaction: Transaction) -> None:
        """Tell the shop how a payment ended, as the fault book allows."""
        url = _address(transaction)
        if not url:
            return
        body = webhook_body(transaction)
        rules = self._faults.take(
            "bank.webhook",
            {"invoiceID": transaction.invoice_id, "invoiceId": transaction.invoice_id, "code": body["code"]},
        )
        if any(rule.effect == "drop" for rule in rules):
            transaction.webhook.state = "dropped"
            self._ledger.record(transaction)
            return
        transaction.webhook.state = "pending"
        self._ledger.record(transaction)
        self._spawn(self._play(transaction, body, rules) if rules else self._deliver(transaction, body))

    def resend(self, transaction: Transaction, fields: dict[str, Any], *, times: int, url: str) -> bool:
        """Send the webhook again, altered if so wished; False if the shop gave no address."""
        target = url or _address(transaction)
        if not target:
            return False
        body = overlay(webhook_body(transaction), fields)
        for _ in range(times):
            self._spawn(self._once(target, json.dumps(body).encode()))
        return True

    async def idle(self) -> None:
        """Return when nothing is being sent any more."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Stop sending; what is pending stays pending in the journal."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    def cancel_all(self) -> None:
        """Forget what is under way (a reset)."""
        for task in self._tasks:
            task.cancel()

    def _spawn(self, work: Coroutine[Any, Any, object]) -> None:
        async def run() -> None:
            await work

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _play(self, transaction: Transaction, body: dict[str, Any], rules: tuple[Rule, ...]) -> None:
        await self._faults.pause(sum(rule.seconds for rule in rules if rule.effect in {"latency", "delay"}))
        struck = next((rule for rule in rules if rule.effect not in {"latency", "delay"}), None)
        effect = struck.effect if struck else ""
        if struck and effect == "forge":
            forged = overlay(body, struck.fields or FORGED)
            await self._once(_address(transaction), json.dumps(forged).encode())
        elif effect == "partial_body":
            text = json.dumps(body).encode()
            await self._once(_address(transaction), text[: len(text) // 2])
        elif effect == "lose_reply":
            await self._once(_address(transaction), json.dumps(body).encode())
        await self._deliver(transaction, body)
        if struck and effect == "duplicate":
            for _ in range(struck.count - 1):
                await self._once(_address(transaction), json.dumps(body).encode())

    async def _deliver(self, transaction: Transaction, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        url = _address(transaction)
        wait = self._settings.webhook_first_retry_seconds
        while transaction.webhook.attempts < self._settings.webhook_attempts:
            transaction.webhook.attempts += 1
            if await self._once(url, content):
                transaction.webhook.state = "delivered"
                transaction.webhook.delivered_at = now()
                self._ledger.record(transaction)
                return
            self._ledger.record(transaction)
            await asyncio.sleep(wait)
            wait = min(wait * 2, self._settings.webhook_longest_retry_seconds)
        transaction.webhook.state = "failed"
        self._ledger.record(transaction)

    async def _once(self, url: str, content: bytes) -> bool:
        try:
            answer = await self._client.post(url, content=content, headers={"content-type": "application/json"})
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            logger.info("webhook not delivered: %s", type(error).__name__)
            return False
        return answer.status_code == httpx.codes.OK


def _address(transaction: Transaction) -> str:
    if transaction.status in {"FAILED", "REJECT"}:
        return transaction.failure_post_link
    return transaction.post_link
