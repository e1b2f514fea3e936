"""The WhatsApp Cloud API: messages, templates, and the download of media (docs/wire/whatsapp.md)."""

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import httpx

from refunds.settings import WhatsAppNumber
from shared.kernel.outbound import NEVER_SENT, OutboundClient, read_object
from shared.outcomes import Done, NeedsPerson, NotSent, Outcome, Refused, Unknown
from shared.telemetry.tracing import Tracing

#: The buyer wrote more than 24 hours ago: only an approved template is delivered.
WINDOW_CLOSED = "131047"
#: Codes of a `Refused` download.
TOO_LARGE, GONE = "size", "gone"
_TIMEOUT_SECONDS = 15.0
_RETRY = timedelta(seconds=30)
_LONGEST_SIZE = 15
#: Limits: of the app, of the account, of the number, and of one number to one buyer.
_BUSY = frozenset({"4", "80007", "130429", "131056"})
#: A token, a right, a number, a payment or a template of the shop's is not in order.
_OURS = frozenset(
    {"3", "10", "190", "131005", "131031", "131042", "132000", "132001", "132012", "132015", "132016"} | {"133010"}
)
#: Where Meta keeps media. The token is shown there, so nowhere else.
_MEDIA_HOST = "lookaside.fbsbx.com"


class WhatsAppClient:
    """Calls the API as any of our numbers. `most_bytes`: of a file."""

    def __init__(self, api_url: str, tracing: Tracing, most_bytes: int) -> None:
        self._api = api_url.rstrip("/")
        self._tracing = tracing
        self._most_bytes = most_bytes
        self._client = OutboundClient(seconds=_TIMEOUT_SECONDS, most_bytes=2 * most_bytes)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def send_text(self, number: WhatsAppNumber, to: str, text: str, *, trace: str | None) -> Outcome[None]:
        """Send a text. Refused: WINDOW_CLOSED, or this person cannot be reached. `to`: digits, without a plus."""
        body = {"type": "text", "text": {"preview_url": False, "body": text}}
        return await self._send(number, to, body, trace)

    async def send_template(
        self, number: WhatsAppNumber, to: str, template: str, language: str, *, trace: str | None
    ) -> Outcome[None]:
        """Send an approved template that has no parameters."""
        body = {"type": "template", "template": {"name": template, "language": {"code": language}}}
        return await self._send(number, to, body, trace)

    async def download(self, number: WhatsAppNumber, media_id: str, *, trace: str | None) -> Outcome[bytes]:
        """The content of a file. Refused: TOO_LARGE, GONE."""
        params = {"phone_number_id": number.phone_number_id}
        described = await self._get(number, f"{self._api}/{media_id}", trace, params=params)
        if not isinstance(described, Done):
            return described
        media = read_object(described.value)
        if _size(media) > self._most_bytes:
            return Refused(TOO_LARGE, f"a file has at most {self._most_bytes} bytes")
        if not self._is_media_url(url := str(media.get("url", ""))):
            return NeedsPerson("WhatsApp names a place for the file that is not one of its own")
        fetched = await self._get(number, url, trace)
        if isinstance(fetched, Refused):
            return NotSent("the file's address has expired; the next attempt asks for another one")
        if not isinstance(fetched, Done):
            return fetched
        content = fetched.value.content
        return Done(content) if len(content) <= self._most_bytes else Refused(TOO_LARGE, "larger than announced")

    def _is_media_url(self, url: str) -> bool:
        try:
            parts, api = urlsplit(url), urlsplit(self._api)
        except ValueError:
            return False
        return (parts.scheme, parts.netloc) in {("https", _MEDIA_HOST), (api.scheme, api.netloc)}

    async def _send(self, number: WhatsAppNumber, to: str, body: Mapping[str, Any], trace: str | None) -> Outcome[None]:
        url = f"{self._api}/{number.phone_number_id}/messages"
        message = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": to, **body}
        called = await self._call(number, "messages", "POST", url, trace, json=message)
        return read_answer(called.value) if isinstance(called, Done) else called

    async def _get(
        self, number: WhatsAppNumber, url: str, trace: str | None, **options: Any
    ) -> Outcome[httpx.Response]:
        called = await self._call(number, "media", "GET", url, trace, **options)
        if not isinstance(called, Done) or called.value.status_code == HTTPStatus.OK:
            return called
        return read_missing(called.value)

    async def _call(
        self, number: WhatsAppNumber, name: str, method: str, url: str, trace: str | None, **options: Any
    ) -> Outcome[httpx.Response]:
        headers = {"authorization": f"Bearer {number.token.get_secret_value()}"}
        try:
            with self._tracing.call("whatsapp", name, trace) as call:
                call.asks(method, self._api)
                if call.traceparent:
                    headers["traceparent"] = call.traceparent
                response = await self._client.request(method, url, headers=headers, **options)
                call.answered(response.status_code)
        except NEVER_SENT:
            return NotSent("WhatsApp cannot be reached")
        except httpx.HTTPError:
            return Unknown("no answer from WhatsApp")
        return Done(response)


def read_missing(response: httpx.Response) -> Refused | NotSent | NeedsPerson:
    """The outcome of a file that did not come. A limit or a fault of the shop's says nothing about the file."""
    match read_answer(response):
        case NeedsPerson() | NotSent(retry_after=timedelta()) as failed:
            return failed
    if response.status_code in {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        return Refused(GONE, "WhatsApp does not have this file any more")
    return NotSent(f"WhatsApp answered {response.status_code}")


def read_answer(response: httpx.Response) -> Outcome[None]:
    """The outcome of a message: 200, or `{"error": {"code", …}}`."""
    if response.status_code == HTTPStatus.OK:
        return Done(None)
    code = str(_error(response).get("code", response.status_code))
    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS or code in _BUSY:
        return NotSent("WhatsApp asks to wait", retry_after=_RETRY)
    if response.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} or code in _OURS:
        return NeedsPerson(f"WhatsApp refuses the shop's token, number or template: {code[:20]}")
    if response.status_code == HTTPStatus.BAD_REQUEST:
        return Refused(code[:20], "WhatsApp does not deliver this message")
    return NotSent(f"WhatsApp answered {response.status_code}")


def _size(media: Mapping[str, Any]) -> int:
    """The size that is announced, which may be a text; 0: it cannot be read."""
    text = str(media.get("file_size", ""))
    return int(text) if text.isascii() and text.isdecimal() and len(text) < _LONGEST_SIZE else 0


def _error(response: httpx.Response) -> Mapping[str, Any]:
    error = read_object(response).get("error")
    return error if isinstance(error, dict) else {}
