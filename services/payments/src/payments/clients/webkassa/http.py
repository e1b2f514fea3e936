"""Webkassa's API v4 over HTTP (docs/wire/webkassa.md)."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import httpx

from payments.clients.responses import NEVER_SENT, json_object, retry_after
from payments.clients.webkassa.receipts import Issued, Refusal, Wanted, check_body, listed, read_issued, refusals
from payments.receipts.metrics import FiscalMetrics
from payments.receipts.settings import CashRegister
from shared.kernel.outbound import OutboundClient
from shared.telemetry.tracing import Tracing
from shared.values.opaque import opaque

_DID_NOTHING = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS}
_PAGE, _PAGES = 50, 20
_LONGEST_TOKEN = 8192


class RegisterAwayError(Exception):
    """Webkassa surely issued nothing: not reached, or it said that it cannot now."""

    def __init__(self, reason: str, *, delay: timedelta | None = None) -> None:
        super().__init__(reason)
        self.delay = delay


class RegisterUnclearError(Exception):
    """A receipt may have been issued: the reply was lost, late, or makes no sense."""


class RegisterRefusedError(Exception):
    """Webkassa answered no. Only its code is kept: its words may repeat what was sent."""

    def __init__(self, code: int, data: object = None) -> None:
        super().__init__(f"the cash register refused with code {code}")
        self.code = code
        self.data = data


class Webkassa:
    """The fiscal service, over one client. Session tokens live in memory only."""

    def __init__(self, url: str, api_key: str, timeout: float, tracing: Tracing, metrics: FiscalMetrics) -> None:
        self._url = url.rstrip("/")
        self._api_key = api_key
        self._tracing = tracing
        self._metrics = metrics
        self._client = OutboundClient(seconds=timeout)
        self._tokens: dict[str, str] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def issue(self, register: CashRegister, cashbox: str, wanted: Wanted, trace: str | None) -> Issued:
        """`check`. Raises RegisterAwayError, RegisterUnclearError, RegisterRefusedError."""
        data = await self._call("check", register, cashbox, check_body(wanted), trace)
        issued = read_issued(data)
        if issued is None:
            raise RegisterUnclearError("check: the answer cannot be read")
        if not (issued.ticket_url or issued.offline):
            raise RegisterUnclearError("check: the answer has no link to the receipt, the history may have")
        return issued

    async def find(self, register: CashRegister, cashbox: str, number: str, trace: str | None) -> Issued | None:
        """The receipt of one ExternalCheckNumber from `Check/History`; None: this register has issued none.

        Whether the history heeds the number is not known ([?]), so pages are turned until it is found: as many as
        hold a thousand receipts. Raises RegisterAwayError, RegisterRefusedError; RegisterUnclearError when it is there
        but cannot be read.
        """
        for page in range(_PAGES):
            body = {"ExternalCheckNumber": number, "Skip": page * _PAGE, "Take": _PAGE}
            try:
                data = await self._call("history", register, cashbox, body, trace)
            except RegisterUnclearError as error:
                raise RegisterAwayError(str(error)) from None
            items = listed(data)
            for item in items:
                if isinstance(item, Mapping) and item.get("ExternalCheckNumber") == number:
                    if (issued := read_issued(item)) is None:
                        raise RegisterUnclearError("history: the receipt is there, but cannot be read")
                    return issued
            if len(items) < _PAGE:
                break
        return None

    async def close_shift(self, register: CashRegister, cashbox: str, trace: str | None) -> None:
        """`ZReport`; a shift that is closed already is as good. Raises RegisterAwayError, RegisterRefusedError."""
        try:
            await self._call("zreport", register, cashbox, {}, trace)
        except RegisterRefusedError as error:
            if error.code not in (Refusal.SHIFT_CLOSED, Refusal.NO_SHIFT):
                raise
        except RegisterUnclearError as error:
            raise RegisterAwayError(str(error)) from None

    async def _call(
        self, operation: str, register: CashRegister, cashbox: str, fields: dict[str, Any], trace: str | None
    ) -> object:
        """`Data` of a call in a session; a session that has expired is renewed once (error 2)."""
        path = _PATHS[operation]
        token = await self._token(register, trace)
        for renewed in (False, True):
            body = {"Token": token, "CashboxUniqueNumber": cashbox, **fields}
            answer = await self._send(operation, path, body, trace)
            codes = refusals(answer)
            if Refusal.SESSION_EXPIRED in codes and not renewed:
                token = await self._token(register, trace, stale=token)
                continue
            if codes:
                self._count(operation, "refused")
                raise RegisterRefusedError(codes[0], answer.get("Data"))
            break
        self._count(operation, "ok")
        return answer.get("Data")

    async def _token(self, register: CashRegister, trace: str | None, *, stale: str | None = None) -> str:
        """The session's token, fetched by one caller while the others wait."""
        async with self._locks.setdefault(register.login, asyncio.Lock()):
            known = self._tokens.get(register.login)
            if known and known != stale:
                return known
            credentials = {"Login": register.login, "Password": register.password.get_secret_value()}
            try:
                answer = await self._send("authorize", "Authorize", credentials, trace)
            except RegisterUnclearError as error:
                raise RegisterAwayError(str(error)) from None
            if codes := refusals(answer):
                self._count("authorize", "refused")
                raise RegisterRefusedError(codes[0])
            data = answer.get("Data")
            token = opaque(data.get("Token"), _LONGEST_TOKEN) if isinstance(data, Mapping) else None
            if token is None:
                raise RegisterAwayError("authorize: the answer holds no token")
            self._count("authorize", "ok")
            self._tokens[register.login] = token
            return token

    async def _send(self, operation: str, path: str, body: dict[str, Any], trace: str | None) -> dict[str, Any]:
        """One request in a CLIENT span; the envelope. Raises RegisterAwayError, RegisterUnclearError."""
        with self._tracing.call("webkassa", operation, trace) as span:
            span.asks("POST", self._url)
            headers = {"x-api-key": self._api_key, "traceparent": span.traceparent or ""}
            try:
                response = await self._client.post(f"{self._url}/api/v4/{path}", json=body, headers=headers)
            except NEVER_SENT as error:
                self._count(operation, "away")
                raise RegisterAwayError(f"{operation}: {type(error).__name__}") from None
            except httpx.HTTPError as error:
                self._count(operation, "unclear")
                raise RegisterUnclearError(f"{operation}: {type(error).__name__}") from None
            span.answered(response.status_code)
        if response.status_code in _DID_NOTHING:
            self._count(operation, "away")
            raise RegisterAwayError(f"{operation}: HTTP {response.status_code}", delay=retry_after(response))
        envelope = json_object(response)
        if response.status_code != HTTPStatus.OK or envelope is None or not envelope.keys() & {"Data", "Errors"}:
            self._count(operation, "unclear")
            raise RegisterUnclearError(f"{operation}: HTTP {response.status_code}")
        return envelope

    def _count(self, operation: str, outcome: str) -> None:
        self._metrics.calls.labels(operation, outcome).inc()


_PATHS = {"check": "check", "history": "Check/History", "zreport": "ZReport"}
