"""Webkassa's HTTP interface below /webkassa (docs/wire/webkassa.md)."""

import asyncio
import secrets
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sandbox.cashbox import ticket
from sandbox.cashbox.ledger import CashboxLedger, Violation
from sandbox.cashbox.register import DUPLICATE, RefusedError, close_shift, issue
from sandbox.cashbox.wire import answer, check_data, error
from sandbox.exchange import Call, Reply, play
from sandbox.faults import FaultBook, Rule, Target
from sandbox.front import Route
from sandbox.settings import Settings

BAD_CREDENTIALS, SESSION_EXPIRED, UNKNOWN_CASHBOX, UNAVAILABLE = 1, 2, 6, 505
SESSION_SECONDS = 24 * 3600
_PAGE_SIZE = 50


@dataclass(slots=True)
class CashboxBehaviour:
    """The open questions of docs/wire/webkassa.md; control may answer them differently while running."""

    original_in_duplicate: bool
    flat_registration: bool
    history_filters: bool

    @classmethod
    def of(cls, settings: Settings) -> "CashboxBehaviour":
        """As the settings have it."""
        return cls(
            settings.cashbox_original_in_duplicate,
            settings.cashbox_flat_registration,
            settings.cashbox_history_filters,
        )


class Cashbox:
    """Webkassa and its registers."""

    def __init__(self, settings: Settings, ledger: CashboxLedger, faults: FaultBook) -> None:
        self._settings = settings
        self._faults = faults
        self._sessions: dict[str, float] = {}
        #: The callers in hand of each register, in the order in which they came.
        self._in_hand: dict[str, list[Call]] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self.ledger = ledger
        self.behaviour = CashboxBehaviour.of(settings)

    def reset(self) -> None:
        """Empty books, no sessions, and the settings' behaviour again."""
        self.ledger.clear()
        self._sessions.clear()
        self.behaviour = CashboxBehaviour.of(self._settings)

    def expire_sessions(self) -> int:
        """Every token is worth nothing from now on; returns how many there were."""
        ended = len(self._sessions)
        self._sessions.clear()
        return ended

    def routes(self) -> list[Route]:
        """Webkassa's paths."""
        return [
            Route.of("POST", "/webkassa/api/v4/Authorize", self.authorize),
            Route.of("POST", "/webkassa/api/v4/check", self.check),
            Route.of("POST", "/webkassa/api/v4/ZReport", self.z_report),
            Route.of("POST", "/webkassa/api/v4/Check/History", self.history),
            Route.of("GET", "/webkassa/ticket/{id}", self.ticket),
        ]

    async def authorize(self, call: Call) -> Reply:
        """A session token."""
        body = call.json() or {}

        def perform() -> Reply:
            if (refused := self._key_refused(call)) is not None:
                return refused
            right = (self._settings.cashbox_login, self._settings.cashbox_password)
            if (body.get("Login"), body.get("Password")) != right:
                return error(BAD_CREDENTIALS, "Wrong login or password")
            token = secrets.token_hex(16)
            self._sessions[token] = time.monotonic() + SESSION_SECONDS
            return answer({"Token": token})

        return await play(self._faults, "cashbox.authorize", {}, perform, _refused)

    async def check(self, call: Call) -> Reply:
        """A receipt."""
        root = f"http://{call.headers.get('host', 'localhost')}/webkassa/ticket"

        def perform(cashbox: str, body: dict[str, Any]) -> Reply:
            try:
                made = issue(self.ledger, cashbox, self._registration(cashbox), body, root)
            except RefusedError as refused:
                data = None
                if refused.code == DUPLICATE and self.behaviour.original_in_duplicate:
                    original = self.ledger.by_external(cashbox, str(body["ExternalCheckNumber"]))
                    data = check_data(original, flat=self.behaviour.flat_registration) if original else None
                return error(refused.code, refused.text, data)
            return answer(check_data(made, flat=self.behaviour.flat_registration))

        return await self._operate(call, "cashbox.check", perform)

    async def z_report(self, call: Call) -> Reply:
        """The end of a shift."""

        def perform(cashbox: str, _body: dict[str, Any]) -> Reply:
            try:
                return answer({"ShiftNumber": close_shift(self.ledger, cashbox), "CashboxUniqueNumber": cashbox})
            except RefusedError as refused:
                return error(refused.code, refused.text)

        return await self._operate(call, "cashbox.zreport", perform)

    async def history(self, call: Call) -> Reply:
        """A register's receipts, newest first, by pages; one number's receipt where this Webkassa filters."""

        def perform(cashbox: str, body: dict[str, Any]) -> Reply:
            found = self.ledger.of(cashbox)
            wanted = body.get("ExternalCheckNumber")
            if wanted and self.behaviour.history_filters:
                found = [check for check in found if check.external_check_number == wanted]
            skip, take = int(body.get("Skip") or 0), int(body.get("Take") or _PAGE_SIZE)
            flat = self.behaviour.flat_registration
            items = [check_data(check, flat=flat) for check in found[skip : skip + min(take, _PAGE_SIZE)]]
            return answer({"Total": len(found), "Items": items})

        return await self._operate(call, "cashbox.history", perform)

    async def ticket(self, call: Call) -> Reply:
        """The page of a receipt, for anybody who has its address."""
        found = self.ledger.book.get(call.args[0])
        return Reply(404, b"no such receipt", {"content-type": "text/plain"}) if found is None else ticket.page(found)

    async def _operate(self, call: Call, target: Target, perform: Callable[[str, dict[str, Any]], Reply]) -> Reply:
        """A call for one register, which can do one thing at a time."""
        body = call.json() or {}
        cashbox = str(body.get("CashboxUniqueNumber") or "")
        if (refused := self._key_refused(call)) is not None:
            return refused
        async with self._turn(cashbox, call) as alone:
            if not alone:
                return error(UNAVAILABLE, "Another request for this cashbox is being carried out")
            await self._faults.pause(self._settings.cashbox_seconds)

            def act() -> Reply:
                if self._sessions.get(str(body.get("Token")), 0.0) < time.monotonic():
                    return error(SESSION_EXPIRED, "The session has expired")
                if cashbox not in self._settings.cashbox_numbers:
                    return error(UNKNOWN_CASHBOX, "No such cashbox")
                return perform(cashbox, body)

            fields = {
                "cashbox": cashbox,
                "externalCheckNumber": body.get("ExternalCheckNumber"),
                "operationType": body.get("OperationType"),
            }
            return await play(self._faults, target, fields, act, _refused)

    @asynccontextmanager
    async def _turn(self, cashbox: str, call: Call) -> AsyncIterator[bool]:
        """One request after the other. False: somebody who still waits for an answer is being served.

        A caller that has hung up is not to blame: whoever comes next waits until its request is over.
        """
        in_hand = self._in_hand.setdefault(cashbox, [])
        if any(not other.gone() for other in in_hand):
            identity = uuid.uuid4().hex
            overlap = Violation(id=identity, kind="overlap", cashbox=cashbox, path=call.path)
            self.ledger.violations.put(identity, overlap)
            yield False
            return
        in_hand.append(call)
        try:
            async with self._turns.setdefault(cashbox, asyncio.Lock()):
                yield True
        finally:
            in_hand.remove(call)

    def _key_refused(self, call: Call) -> Reply | None:
        if call.headers.get("x-api-key") == self._settings.cashbox_api_key:
            return None
        return error(BAD_CREDENTIALS, "x-api-key is missing or wrong", status=401)

    def _registration(self, cashbox: str) -> str:
        """The number under which the tax office knows the register: 12 digits."""
        return f"{1 + self._settings.cashbox_numbers.index(cashbox):012d}"


def _refused(rule: Rule) -> Reply:
    return error(rule.code or UNAVAILABLE, rule.message or "The service is not available", status=rule.status or 200)
