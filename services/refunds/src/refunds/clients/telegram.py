"""The Telegram Bot API: `sendMessage` (https://core.telegram.org/bots/api#sendmessage)."""

from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import httpx
from pydantic import SecretStr

from shared.kernel.outbound import NEVER_SENT, OutboundClient, read_json
from shared.outcomes import Done, NeedsPerson, NotSent, Outcome, Refused, Unknown
from shared.telemetry.tracing import Tracing

_TIMEOUT_SECONDS = 15.0
#: Seconds to wait where Telegram names none, and the bounds of what it names.
_RETRY_AFTER, _SHORTEST, _LONGEST = 30.0, 1.0, 3600.0


class TelegramClient:
    """Sends messages as any of our bots."""

    def __init__(self, api_url: str, tracing: Tracing) -> None:
        self._tracing = tracing
        self._client = OutboundClient(seconds=_TIMEOUT_SECONDS, base_url=api_url.rstrip("/"))

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
        try:
            with self._tracing.call("telegram", "sendMessage", trace) as call:
                call.asks("POST", str(self._client.base_url))
                headers = {"traceparent": call.traceparent} if call.traceparent else {}
                # The path holds the token, so it is neither logged nor traced.
                path = f"/bot{token.get_secret_value()}/sendMessage"
                response = await self._client.post(path, json=body, headers=headers)
                call.answered(response.status_code)
        except NEVER_SENT:
            return NotSent("Telegram cannot be reached")
        except httpx.HTTPError:
            return Unknown("no answer from Telegram")
        return read_answer(response)


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
