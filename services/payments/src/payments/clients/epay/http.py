"""Halyk Epay over HTTP (docs/wire/epay.md)."""

import asyncio
import time
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import httpx

from payments.attempts.rules.status import Expected, StatusAnswer, read_status
from payments.clients.bank import BankAwayError, BankRefusedError, BankUnclearError
from payments.clients.responses import NEVER_SENT, json_object, retry_after
from payments.metrics import PaymentMetrics
from payments.settings import Settings
from shared.kernel.outbound import OutboundClient
from shared.telemetry.tracing import Tracing
from shared.values.count import LARGEST_INT, count
from shared.values.money import to_text
from shared.values.opaque import opaque

_LONG_SCOPE = "webapi usermanagement email_send verification statement statistics payment"
_RENEW_EARLY_SECONDS = 60.0
_LONGEST_TOKEN, _LONGEST_TOKEN_SECONDS = 8192, 86_400
_DID_NOTHING = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}


class EpayBank:
    """The bank, over one pooled client. Tokens live in memory only."""

    def __init__(self, settings: Settings, tracing: Tracing, metrics: PaymentMetrics) -> None:
        self._oauth_url = settings.epay_oauth_url or ""
        self._api_url = (settings.epay_api_url or "").rstrip("/")
        self._credentials = {
            "grant_type": "client_credentials",
            "client_id": settings.epay_client_id,
            "client_secret": settings.epay_client_secret.get_secret_value(),
            "terminal": str(settings.epay_terminal),
        }
        self._post_link = webhook_url(settings)
        self._tracing = tracing
        self._metrics = metrics
        most = settings.epay_connections
        self._client = OutboundClient(
            seconds=settings.epay_timeout_seconds,
            limits=httpx.Limits(max_connections=most, max_keepalive_connections=most, keepalive_expiry=30),
        )
        self._token = ""
        self._token_ends = 0.0
        self._token_lock = asyncio.Lock()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def payment_token(self, payment: Expected, secret_hash: str, trace: str | None) -> Mapping[str, Any]:
        """A token for the payment page; the bank remembers what it was minted for."""
        return await self._new_token(
            {
                "scope": "payment",
                "invoiceID": str(payment.invoice_id),
                "secret_hash": secret_hash,
                "amount": to_text(payment.amount),
                "currency": payment.currency,
                "postLink": self._post_link,
                "failurePostLink": self._post_link,
            },
            trace,
        )

    async def status(self, payment: Expected, trace: str | None) -> StatusAnswer:
        """Ask how an attempt stands. The answer may come with HTTP 400; asking changes nothing."""
        path = f"/check-status/payment/transaction/{payment.invoice_id}"
        try:
            response = await self._authorised("check_status", "GET", path, {}, trace)
        except BankUnclearError:
            raise BankAwayError("check-status: no answer") from None
        body = json_object(response)
        readable = response.status_code in (HTTPStatus.OK, HTTPStatus.BAD_REQUEST)
        if readable and body is not None and "resultCode" in body:
            self._count("check_status", "ok")
            return read_status(body)
        self._count("check_status", "away")
        raise BankAwayError(f"check-status: HTTP {response.status_code}", delay=retry_after(response))

    async def charge(self, transaction_id: str, trace: str | None) -> None:
        """POST operation/{id}/charge."""
        await self._operate("charge", transaction_id, {}, trace)

    async def cancel(self, transaction_id: str, trace: str | None) -> None:
        """POST operation/{id}/cancel."""
        await self._operate("cancel", transaction_id, {}, trace)

    async def refund(self, transaction_id: str, amount: int, external_id: str, trace: str | None) -> None:
        """POST operation/{id}/refund. The amount is always named: no refund can become larger than was meant."""
        await self._operate("refund", transaction_id, {"amount": to_text(amount), "externalID": external_id}, trace)

    async def _operate(self, operation: str, transaction_id: str, query: dict[str, str], trace: str | None) -> None:
        response = await self._authorised(operation, "POST", f"/operation/{transaction_id}/{operation}", query, trace)
        status = response.status_code
        if status == HTTPStatus.OK:
            self._count(operation, "ok")
            return
        body = json_object(response)
        if status == HTTPStatus.BAD_REQUEST and body is not None and "code" in body:
            self._count(operation, "refused")
            raise BankRefusedError(count(body["code"], LARGEST_INT) or 0)
        if status in _DID_NOTHING:
            self._count(operation, "away")
            raise BankAwayError(f"{operation}: HTTP {status}", delay=retry_after(response))
        self._count(operation, "unclear")
        raise BankUnclearError(f"{operation}: HTTP {status}")

    async def _authorised(
        self, operation: str, method: str, path: str, query: dict[str, str], trace: str | None
    ) -> httpx.Response:
        """A call with our token; one that has gone stale is renewed once."""
        token = await self._own_token(trace)
        response = await self._send(operation, method, self._api_url + path, trace, token=token, query=query)
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            token = await self._own_token(trace, stale=token)
            response = await self._send(operation, method, self._api_url + path, trace, token=token, query=query)
        return response

    async def _own_token(self, trace: str | None, *, stale: str | None = None) -> str:
        """The token for status and operations, fetched by one caller while the others wait."""
        if self._token and self._token != stale and time.monotonic() < self._token_ends:
            return self._token
        async with self._token_lock:
            if self._token and self._token != stale and time.monotonic() < self._token_ends:
                return self._token
            began = time.monotonic()
            try:
                answer = await self._new_token({"scope": _LONG_SCOPE}, trace)
            except BankRefusedError as error:
                # Our credentials or our terminal: nothing was done, and it heals when the settings are right.
                raise BankAwayError(f"token refused with code {error.code}", delay=timedelta(seconds=30)) from None
            self._token = str(answer["access_token"])
            seconds = min(count(answer.get("expires_in")) or 0, _LONGEST_TOKEN_SECONDS)
            self._token_ends = began + seconds - _RENEW_EARLY_SECONDS
            return self._token

    async def _new_token(self, fields: dict[str, str], trace: str | None) -> dict[str, Any]:
        form = self._credentials | fields
        try:
            response = await self._send("token", "POST", self._oauth_url, trace, form=form)
        except BankUnclearError:
            raise BankAwayError("token: no answer") from None
        body = json_object(response)
        if (
            response.status_code == HTTPStatus.OK
            and body is not None
            and opaque(body.get("access_token"), _LONGEST_TOKEN)
        ):
            self._count("token", "ok")
            return body
        if response.status_code in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            self._count("token", "refused")
            raise BankRefusedError(response.status_code)
        self._count("token", "away")
        raise BankAwayError(f"token: HTTP {response.status_code}", delay=retry_after(response))

    async def _send(
        self,
        operation: str,
        method: str,
        url: str,
        trace: str | None,
        *,
        token: str = "",
        query: dict[str, str] | None = None,
        form: dict[str, str] | None = None,
    ) -> httpx.Response:
        """One request in a CLIENT span. Raises BankAwayError when it never left, BankUnclearError when it may have."""
        with self._tracing.call("epay", operation, trace) as span:
            span.asks(method, url)
            headers = {"traceparent": span.traceparent or ""}
            if token:
                headers["Authorization"] = f"Bearer {token}"
            try:
                response = await self._client.request(method, url, params=query or None, data=form, headers=headers)
            except NEVER_SENT as error:
                self._count(operation, "away")
                raise BankAwayError(f"{operation}: {type(error).__name__}") from None
            except httpx.HTTPError as error:
                self._count(operation, "unclear")
                raise BankUnclearError(f"{operation}: {type(error).__name__}") from None
            span.answered(response.status_code)
            return response

    def _count(self, operation: str, outcome: str) -> None:
        self._metrics.calls.labels(operation, outcome).inc()


def webhook_url(settings: Settings) -> str:
    """PostLink and failurePostLink."""
    return f"{settings.public_url.rstrip('/')}/epay/webhook"
