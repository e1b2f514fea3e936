"""Client of Halyk Epay (docs/wire/epay.md)."""

import asyncio
import time
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import httpx

from payments.clients.bank import OperationOutcome, StatusOutcome, TokenOutcome
from payments.clients.epay.status import read_status
from payments.clients.models import Expected
from payments.clients.responses import NEVER_SENT, json_object, retry_after
from payments.metrics import PaymentMetrics
from payments.settings import Settings
from shared.kernel.outbound import OutboundClient
from shared.outcomes import Done, NotSent, Refused, Unknown
from shared.telemetry.tracing import Tracing
from shared.values.count import LARGEST_INT, count
from shared.values.money import to_text
from shared.values.opaque import opaque

_LONG_SCOPE = "webapi usermanagement email_send verification statement statistics payment"
_RENEW_EARLY_SECONDS = 60.0
_LONGEST_TOKEN, _LONGEST_TOKEN_SECONDS = 8192, 86_400
#: The bank answers these before it looks at the operation.
_DID_NOTHING = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}
_CREDENTIALS_REFUSED = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class EpayBank:
    """The bank, over one connection pool. Tokens are kept in memory only."""

    def __init__(self, settings: Settings, tracing: Tracing, metrics: PaymentMetrics) -> None:
        self._oauth_url = settings.epay_oauth_url or ""
        self._api_url = (settings.epay_api_url or "").rstrip("/")
        self._credentials = {
            "grant_type": "client_credentials",
            "client_id": settings.epay_client_id,
            "client_secret": settings.epay_client_secret.get_secret_value(),
            "terminal": str(settings.epay_terminal),
        }
        self._post_link = settings.webhook_url
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

    async def payment_token(self, payment: Expected, secret_hash: str, trace: str | None) -> TokenOutcome:
        """Get a token for the payment page. The bank accepts it for this payment only."""
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

    async def status(self, payment: Expected, trace: str | None) -> StatusOutcome:
        """GET check-status. The bank may send an answer with HTTP 400 as well."""
        path = f"/check-status/payment/transaction/{payment.invoice_id}"
        response = await self._authorised("check_status", "GET", path, {}, trace)
        if isinstance(response, Unknown):
            return NotSent("check-status: no answer")
        if isinstance(response, NotSent):
            return response
        body = json_object(response)
        readable = response.status_code in (HTTPStatus.OK, HTTPStatus.BAD_REQUEST)
        if readable and body is not None and "resultCode" in body:
            self._count("check_status", "ok")
            return Done(read_status(body))
        self._count("check_status", "away")
        return NotSent(f"check-status: HTTP {response.status_code}", retry_after(response))

    async def charge(self, transaction_id: str, trace: str | None) -> OperationOutcome:
        """POST operation/{id}/charge."""
        return await self._operate("charge", transaction_id, {}, trace)

    async def cancel(self, transaction_id: str, trace: str | None) -> OperationOutcome:
        """POST operation/{id}/cancel."""
        return await self._operate("cancel", transaction_id, {}, trace)

    async def refund(self, transaction_id: str, amount: int, external_id: str, trace: str | None) -> OperationOutcome:
        """POST operation/{id}/refund. The amount is always sent: without it the bank returns everything."""
        query = {"amount": to_text(amount), "externalID": external_id}
        return await self._operate("refund", transaction_id, query, trace)

    async def _operate(
        self, operation: str, transaction_id: str, query: dict[str, str], trace: str | None
    ) -> OperationOutcome:
        path = f"/operation/{transaction_id}/{operation}"
        response = await self._authorised(operation, "POST", path, query, trace)
        if not isinstance(response, httpx.Response):
            return response
        status = response.status_code
        if status == HTTPStatus.OK:
            self._count(operation, "ok")
            return Done(None)
        body = json_object(response)
        if status == HTTPStatus.BAD_REQUEST and body is not None and "code" in body:
            self._count(operation, "refused")
            return _refused(count(body["code"], LARGEST_INT) or 0)
        if status in _DID_NOTHING:
            self._count(operation, "away")
            return NotSent(f"{operation}: HTTP {status}", retry_after(response))
        self._count(operation, "unclear")
        return Unknown(f"{operation}: HTTP {status}")

    async def _authorised(
        self, operation: str, method: str, path: str, query: dict[str, str], trace: str | None
    ) -> httpx.Response | NotSent | Unknown:
        """Send a request with our token; after a 401 renew the token and send it once more."""
        token = await self._own_token(trace)
        if isinstance(token, NotSent):
            return token
        response = await self._send(operation, method, self._api_url + path, trace, token=token, query=query)
        if isinstance(response, httpx.Response) and response.status_code == HTTPStatus.UNAUTHORIZED:
            token = await self._own_token(trace, stale=token)
            if isinstance(token, NotSent):
                return token
            response = await self._send(operation, method, self._api_url + path, trace, token=token, query=query)
        return response

    async def _own_token(self, trace: str | None, *, stale: str | None = None) -> str | NotSent:
        """The token for status and operations. One caller fetches it while the others wait."""
        if self._token and self._token != stale and time.monotonic() < self._token_ends:
            return self._token
        async with self._token_lock:
            if self._token and self._token != stale and time.monotonic() < self._token_ends:
                return self._token
            began = time.monotonic()
            match await self._new_token({"scope": _LONG_SCOPE}, trace):
                case Done(answer):
                    self._token = str(answer["access_token"])
                    seconds = min(count(answer.get("expires_in")) or 0, _LONGEST_TOKEN_SECONDS)
                    self._token_ends = began + seconds - _RENEW_EARLY_SECONDS
                    return self._token
                case Refused() as refused:
                    # Our credentials or our terminal are wrong: nothing was done, and correct settings repair it.
                    return NotSent(f"token refused with code {refused.code}", timedelta(seconds=30))
                case NotSent() as not_sent:
                    return not_sent

    async def _new_token(self, fields: dict[str, str], trace: str | None) -> TokenOutcome:
        response = await self._send("token", "POST", self._oauth_url, trace, form=self._credentials | fields)
        if isinstance(response, Unknown):
            return NotSent("token: no answer")
        if isinstance(response, NotSent):
            return response
        body: Mapping[str, Any] | None = json_object(response)
        has_token = body is not None and opaque(body.get("access_token"), _LONGEST_TOKEN)
        if response.status_code == HTTPStatus.OK and body is not None and has_token:
            self._count("token", "ok")
            return Done(body)
        if response.status_code in _CREDENTIALS_REFUSED:
            self._count("token", "refused")
            return _refused(response.status_code)
        self._count("token", "away")
        return NotSent(f"token: HTTP {response.status_code}", retry_after(response))

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
    ) -> httpx.Response | NotSent | Unknown:
        """Send one request in a CLIENT span. `Unknown`: it may have arrived, and no response came."""
        try:
            with self._tracing.call("epay", operation, trace) as span:
                span.asks(method, url)
                headers = {"traceparent": span.traceparent or ""}
                if token:
                    headers["Authorization"] = f"Bearer {token}"
                response = await self._client.request(method, url, params=query or None, data=form, headers=headers)
                span.answered(response.status_code)
                return response
        except NEVER_SENT as error:
            self._count(operation, "away")
            return NotSent(f"{operation}: {type(error).__name__}")
        except httpx.HTTPError as error:
            self._count(operation, "unclear")
            return Unknown(f"{operation}: {type(error).__name__}")

    def _count(self, operation: str, outcome: str) -> None:
        self._metrics.calls.labels(operation, outcome).inc()


def _refused(code: int) -> Refused:
    return Refused(str(code), f"the bank refused with code {code}")
