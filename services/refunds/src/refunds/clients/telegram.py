"""The Telegram Bot API: `sendMessage`, `getFile` and the files (https://core.telegram.org/bots/api)."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import httpx
from pydantic import SecretStr

from shared.kernel.outbound import NEVER_SENT, OutboundClient, read_json, read_object
from shared.outcomes import Done, NeedsPerson, NotSent, Outcome, Refused, Unknown
from shared.telemetry.tracing import Tracing

_TIMEOUT_SECONDS = 15.0
#: The code of a `Refused` download.
TOO_LARGE = "size"
#: A place below the bot's files.
_PATH = re.compile(r"[A-Za-z0-9_./-]{1,200}")
#: Seconds to wait where Telegram names none, and the bounds of what it names.
_RETRY_AFTER, _SHORTEST, _LONGEST = 30.0, 1.0, 3600.0


class TelegramClient:
    """Sends messages and downloads files as any of our bots. `most_bytes`: of a file."""

    def __init__(self, api_url: str, tracing: Tracing, most_bytes: int) -> None:
        self._tracing = tracing
        self._most_bytes = most_bytes
        self._client = OutboundClient(seconds=_TIMEOUT_SECONDS, base_url=api_url.rstrip("/"), most_bytes=2 * most_bytes)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def send_message(
        self, token: SecretStr, chat_id: int, text: str, buttons: Sequence[Sequence[str]], *, trace: str | None
    ) -> Outcome[None]:
        """Send a text with a keyboard of `buttons` (rows of labels), or with none.

        Refused: the person has blocked the bot, or the chat no longer exists.
        """
        body = {"chat_id": chat_id, "text": text, "reply_markup": _keyboard(buttons)}
        called = await self._call("sendMessage", "POST", f"/bot{token.get_secret_value()}/sendMessage", trace, body)
        return read_answer(called.value) if isinstance(called, Done) else called

    async def download(self, token: SecretStr, file_id: str, *, trace: str | None) -> Outcome[bytes]:
        """The content of a file. Refused: TOO_LARGE, or it is gone."""
        bot = f"bot{token.get_secret_value()}"
        described = _file(await self._call("getFile", "POST", f"/{bot}/getFile", trace, {"file_id": file_id}))
        if not isinstance(described, Done):
            return described
        result = read_object(described.value).get("result")
        path = str(result.get("file_path", "")) if isinstance(result, dict) else ""
        if _PATH.fullmatch(path) is None or ".." in path:
            return NotSent("Telegram does not say where the file is")
        fetched = await self._call("file", "GET", f"/file/{bot}/{path}", trace)
        if isinstance(fetched, Done) and fetched.value.status_code == HTTPStatus.NOT_FOUND:
            return NotSent("the file's address has expired; the next attempt asks for another one")
        fetched = _file(fetched)
        if not isinstance(fetched, Done):
            return fetched
        content = fetched.value.content
        return Done(content) if len(content) <= self._most_bytes else Refused(TOO_LARGE, "the file is too large")

    async def _call(
        self, name: str, method: str, path: str, trace: str | None, body: Mapping[str, Any] | None = None
    ) -> Outcome[httpx.Response]:
        """`path` holds the token, so it is neither logged nor traced."""
        try:
            with self._tracing.call("telegram", name, trace) as call:
                call.asks(method, str(self._client.base_url))
                headers = {"traceparent": call.traceparent} if call.traceparent else {}
                response = await self._client.request(method, path, json=body, headers=headers)
                call.answered(response.status_code)
        except NEVER_SENT:
            return NotSent("Telegram cannot be reached")
        except httpx.HTTPError:
            return Unknown("no answer from Telegram")
        return Done(response)


def _file(called: Outcome[httpx.Response]) -> Outcome[httpx.Response]:
    """The outcome of a call for a file."""
    if not isinstance(called, Done) or called.value.status_code == HTTPStatus.OK:
        return called
    if "too big" in str(read_object(called.value).get("description")):
        return Refused(TOO_LARGE, "bots may not download a file of this size")
    failed = read_answer(called.value)
    return NotSent("an answer that says nothing") if isinstance(failed, Done) else failed


def read_answer(response: httpx.Response) -> Outcome[None]:
    """The outcome of a response: `{"ok", "error_code", "parameters": {"retry_after"}}`."""
    match response.status_code:
        case HTTPStatus.OK:
            return Done(None)
        case HTTPStatus.BAD_REQUEST | HTTPStatus.FORBIDDEN:
            return Refused(str(response.status_code), "the chat does not accept messages of the bot")
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.NOT_FOUND:
            return NeedsPerson("Telegram does not know this bot's token")
        case HTTPStatus.TOO_MANY_REQUESTS:
            return NotSent("Telegram asks to wait", retry_after=timedelta(seconds=_retry_after(response)))
    return NotSent(f"Telegram answered {response.status_code}")


def _retry_after(response: httpx.Response) -> float:
    try:
        return min(_LONGEST, max(_SHORTEST, float(read_json(response)["parameters"]["retry_after"])))
    except (ValueError, KeyError, TypeError, OverflowError):
        return _RETRY_AFTER


def _keyboard(buttons: Sequence[Sequence[str]]) -> dict[str, Any]:
    if not buttons:
        return {"remove_keyboard": True}
    rows = [[{"text": label} for label in row] for row in buttons]
    return {"keyboard": rows, "one_time_keyboard": True, "resize_keyboard": True}
