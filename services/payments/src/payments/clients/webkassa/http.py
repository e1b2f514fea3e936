"""Client of Webkassa's API v4 (docs/wire/webkassa.md)."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeAlias

import httpx

from payments.clients.models import Issued, Wanted
from payments.clients.responses import NEVER_SENT, json_object, retry_after
from payments.clients.webkassa.receipts import ErrorCode, check_body, error_codes, read_issued, receipts_in
from payments.metrics import ReceiptMetrics
from payments.settings import CashRegister
from shared.kernel.outbound import OutboundClient
from shared.outcomes import Done, NotSent, Refused, Unknown
from shared.telemetry.tracing import Tracing
from shared.values.opaque import opaque

_DID_NOTHING = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS}
_PAGE, _PAGES = 50, 20
_LONGEST_TOKEN = 8192
_PATHS = {"check": "check", "history": "Check/History", "zreport": "ZReport"}


@dataclass(frozen=True)
class RegisterRefused(Refused):
    """An answer with an error code. Its message is not kept: it may repeat what was sent.

    `data` is the answer's `Data`: with DUPLICATE it may hold the receipt that exists.
    """

    error: int
    data: object = None


IssueOutcome: TypeAlias = Done[Issued] | RegisterRefused | NotSent | Unknown
_CallOutcome: TypeAlias = Done[object] | RegisterRefused | NotSent | Unknown


class Webkassa:
    """The fiscal service, over one connection pool. Session tokens are kept in memory only."""

    def __init__(self, url: str, api_key: str, timeout: float, tracing: Tracing, metrics: ReceiptMetrics) -> None:
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

    async def issue(self, register: CashRegister, cashbox: str, wanted: Wanted, trace: str | None) -> IssueOutcome:
        """POST `check`. An answer that cannot be read, or has no link although online, is `Unknown`."""
        outcome = await self._call("check", register, cashbox, check_body(wanted), trace)
        if not isinstance(outcome, Done):
            return outcome
        issued = read_issued(outcome.value)
        if issued is None:
            return Unknown("check: the answer cannot be read")
        if not (issued.ticket_url or issued.offline):
            return Unknown("check: the answer has no link to the receipt, the history may have")
        return Done(issued)

    async def find(
        self, register: CashRegister, cashbox: str, number: str, trace: str | None
    ) -> Done[Issued | None] | RegisterRefused | NotSent | Unknown:
        """Search `Check/History` for one ExternalCheckNumber; Done(None): this register has issued no such receipt.

        It is not known whether the history filters by the number ([?]), so up to a thousand receipts are read.
        `Unknown`: the receipt exists, but cannot be read.
        """
        for page in range(_PAGES):
            body = {"ExternalCheckNumber": number, "Skip": page * _PAGE, "Take": _PAGE}
            outcome = await self._call("history", register, cashbox, body, trace)
            if isinstance(outcome, Unknown):
                return NotSent(outcome.reason)
            if not isinstance(outcome, Done):
                return outcome
            receipts = receipts_in(outcome.value)
            for receipt in receipts:
                if isinstance(receipt, Mapping) and receipt.get("ExternalCheckNumber") == number:
                    issued = read_issued(receipt)
                    return (
                        Unknown("history: the receipt is there, but cannot be read") if issued is None else Done(issued)
                    )
            if len(receipts) < _PAGE:
                break
        return Done(None)

    async def close_shift(
        self, register: CashRegister, cashbox: str, trace: str | None
    ) -> Done[None] | RegisterRefused | NotSent:
        """POST `ZReport`. A shift that was closed before counts as closed now."""
        outcome = await self._call("zreport", register, cashbox, {}, trace)
        if isinstance(outcome, Unknown):
            return NotSent(outcome.reason)
        if isinstance(outcome, RegisterRefused) and outcome.error in (ErrorCode.SHIFT_CLOSED, ErrorCode.NO_SHIFT):
            return Done(None)
        return Done(None) if isinstance(outcome, Done) else outcome

    async def _call(
        self, operation: str, register: CashRegister, cashbox: str, fields: dict[str, Any], trace: str | None
    ) -> _CallOutcome:
        """Call in a session; `Done` holds the answer's `Data`. An expired session is renewed once (error 2)."""
        stale: str | None = None
        while True:
            token = await self._token(register, trace, stale=stale)
            if not isinstance(token, str):
                return token
            body = {"Token": token, "CashboxUniqueNumber": cashbox, **fields}
            answer = await self._send(operation, _PATHS[operation], body, trace)
            if not isinstance(answer, dict):
                return answer
            codes = error_codes(answer)
            if ErrorCode.SESSION_EXPIRED in codes and stale is None:
                stale = token
                continue
            if codes:
                self._count(operation, "refused")
                return _refused(codes[0], answer.get("Data"))
            self._count(operation, "ok")
            return Done(answer.get("Data"))

    async def _token(
        self, register: CashRegister, trace: str | None, *, stale: str | None
    ) -> str | RegisterRefused | NotSent:
        """The session's token. One caller fetches it while the others wait."""
        async with self._locks.setdefault(register.login, asyncio.Lock()):
            stored = self._tokens.get(register.login)
            if stored and stored != stale:
                return stored
            credentials = {"Login": register.login, "Password": register.password.get_secret_value()}
            answer = await self._send("authorize", "Authorize", credentials, trace)
            if isinstance(answer, Unknown):
                return NotSent(answer.reason)
            if isinstance(answer, NotSent):
                return answer
            if codes := error_codes(answer):
                self._count("authorize", "refused")
                return _refused(codes[0])
            data = answer.get("Data")
            token = opaque(data.get("Token"), _LONGEST_TOKEN) if isinstance(data, Mapping) else None
            if token is None:
                return NotSent("authorize: the answer holds no token")
            self._count("authorize", "ok")
            self._tokens[register.login] = token
            return token

    async def _send(
        self, operation: str, path: str, body: dict[str, Any], trace: str | None
    ) -> dict[str, Any] | NotSent | Unknown:
        """Send one request in a CLIENT span; returns the envelope of the answer."""
        try:
            with self._tracing.call("webkassa", operation, trace) as span:
                span.asks("POST", self._url)
                headers = {"x-api-key": self._api_key, "traceparent": span.traceparent or ""}
                response = await self._client.post(f"{self._url}/api/v4/{path}", json=body, headers=headers)
                span.answered(response.status_code)
        except NEVER_SENT as error:
            self._count(operation, "away")
            return NotSent(f"{operation}: {type(error).__name__}")
        except httpx.HTTPError as error:
            self._count(operation, "unclear")
            return Unknown(f"{operation}: {type(error).__name__}")
        if response.status_code in _DID_NOTHING:
            self._count(operation, "away")
            return NotSent(f"{operation}: HTTP {response.status_code}", retry_after(response))
        envelope = json_object(response)
        if response.status_code != HTTPStatus.OK or envelope is None or not envelope.keys() & {"Data", "Errors"}:
            self._count(operation, "unclear")
            return Unknown(f"{operation}: HTTP {response.status_code}")
        return envelope

    def _count(self, operation: str, outcome: str) -> None:
        self._metrics.calls.labels(operation, outcome).inc()


def _refused(code: int, data: object = None) -> RegisterRefused:
    return RegisterRefused(str(code), f"the cash register refused with code {code}", code, data)
