"""HTTP as somebody hostile uses it; an answer that must not be, or none, is a finding."""

import base64
import time
from http import HTTPStatus
from typing import Any

import httpx

from hostile.findings import Findings

#: The longest that an answer may take while everything else goes on as well.
PATIENCE_SECONDS = 20.0
_LONGEST_BODY = 3000
_READINESS = "/health/ready"


class Sender:
    """One client for all attacks."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=16)
        self._http = httpx.AsyncClient(timeout=PATIENCE_SECONDS, trust_env=False, limits=limits)

    async def close(self) -> None:
        """Hang up."""
        await self._http.aclose()

    async def send(self, attack: str, method: str, url: str, **given: Any) -> httpx.Response | None:
        """Send a request and judge the answer; None where it could not be sent, or nothing came."""
        try:
            request = self._http.build_request(method, url, **given)
        except (ValueError, TypeError, UnicodeError, OverflowError, httpx.InvalidURL):
            return None  # no client can put this on the wire
        began = time.monotonic()
        try:
            response = await self._http.send(request)
        except (httpx.ProtocolError, httpx.ReadError, httpx.WriteError) as error:
            self._findings.answered(attack, type(error).__name__)
            return None
        except httpx.TransportError as error:
            self._findings.answered(attack, type(error).__name__)
            self._findings.found(
                attack, "no answer", shown(request), f"{error!r} after {time.monotonic() - began:.1f} s"
            )
            return None
        self._findings.answered(attack, response.status_code)
        self._judge(attack, request, response)
        return response

    def _judge(self, attack: str, request: httpx.Request, response: httpx.Response) -> None:
        status = response.status_code
        if request.url.path == _READINESS:
            # Its 503 is the answer, a JSON object that names the checks, and no refusal.
            if status != HTTPStatus.OK:
                self._findings.found(attack, "unready", shown(request), response.text)
            return
        busy = status == HTTPStatus.SERVICE_UNAVAILABLE and "retry-after" in response.headers
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR and not busy:
            self._findings.found(attack, f"answer {status}", shown(request), response.text)
        kind = response.headers.get("content-type", "")
        if status >= HTTPStatus.BAD_REQUEST and not kind.startswith(("application/problem+json", "text/html")):
            self._findings.found(attack, "a refusal that is no problem document", shown(request), f"{status} {kind}")


def shown(request: httpx.Request) -> str:
    """A request as somebody else could send it again; keys are left out."""
    body = request.content
    cut = "" if len(body) <= _LONGEST_BODY else f" (first {_LONGEST_BODY} of {len(body)} bytes)"
    headers = {name: value for name, value in request.headers.items() if name not in ("authorization", "cookie")}
    encoded = base64.b64encode(body[:_LONGEST_BODY]).decode()
    return f"{request.method} {request.url} {headers} base64:{encoded}{cut}"
