"""Messages of the bot, as due work: `sendMessage` of the Bot API.

The Bot API knows no idempotency key and cannot be asked what was sent. So a message whose outcome is unknown is sent
again: to be told twice does no harm, not to be told does.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Literal

import httpx
from prometheus_client import CollectorRegistry, Counter
from pydantic import SecretStr

from refunds.channels.store import Chats
from shared.database import Tx
from shared.kernel.outbound import OutboundClient, read_json
from shared.tasks import NeedsPersonError, NotNow, Task, TaskResult, Unknown
from shared.telemetry.tracing import Tracing

SEND = "telegram_send"
_LONGEST = 4096
_TIMEOUT_SECONDS = 15.0
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
Outcome = Literal["sent", "unreachable"]


class TelegramMetrics:
    """What the bot counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.updates = Counter(
            "telegram_updates",
            "Updates by storefront and what came of them",
            ["storefront", "outcome"],
            registry=registry,
        )
        self.messages = Counter(
            "telegram_messages", "Messages by storefront and outcome", ["storefront", "outcome"], registry=registry
        )


def say_later(
    tx: Tx, chats: Chats, storefront: str, chat_id: int, key: str, text: str, *, trace: str | None, buttons: Any = ()
) -> None:
    """Send a message when this transaction commits. `key` names it: the same is sent once."""
    payload = {
        "storefront": storefront,
        "chat": chats.seal_chat(chat_id),
        "text": text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…",
        "buttons": [list(row) for row in buttons],
    }
    tx.schedule(SEND, f"{storefront}/{key}", payload, trace=trace)


class SendMessage:
    """Sends what is due; who has blocked the bot, or is gone, is not written to again."""

    kind = SEND
    concurrency = 4

    def __init__(
        self, chats: Chats, tokens: Mapping[str, SecretStr], api_url: str, tracing: Tracing, metrics: TelegramMetrics
    ) -> None:
        self._chats = chats
        self._tokens = tokens
        self._tracing = tracing
        self._metrics = metrics
        self._client = OutboundClient(seconds=_TIMEOUT_SECONDS, base_url=api_url.rstrip("/"))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def perform(self, task: Task) -> Outcome:
        """Send one message. Raises NotNow, Unknown, NeedsPersonError."""
        token = self._tokens.get(task.payload["storefront"])
        chat_id = self._chats.open_chat(task.payload["chat"])
        if token is None:
            raise NeedsPersonError("this storefront has no bot any more")
        if chat_id is None:
            return "unreachable"
        body = {"chat_id": chat_id, "text": task.payload["text"], "reply_markup": _markup(task.payload["buttons"])}
        with self._tracing.call("telegram", "sendMessage", task.continues) as span:
            span.asks("POST", str(self._client.base_url))
            headers = {"traceparent": span.traceparent} if span.traceparent else {}
            try:
                # The token is part of the address, which therefore goes nowhere else.
                answer = await self._client.post(
                    f"/bot{token.get_secret_value()}/sendMessage", json=body, headers=headers
                )
            except _NEVER_SENT:
                raise NotNow("Telegram cannot be reached") from None
            except httpx.HTTPError:
                raise Unknown("no answer from Telegram") from None
            span.answered(answer.status_code)
        return _read(answer)

    async def record(self, tx: Tx, done: Sequence[TaskResult[Outcome]]) -> None:
        """Count; the rows themselves are gone with this transaction."""
        del tx
        for one in done:
            self._metrics.messages.labels(one.task.payload["storefront"], one.result).inc()


def _markup(buttons: Sequence[Sequence[str]]) -> dict[str, Any]:
    if not buttons:
        return {"remove_keyboard": True}
    rows = [[{"text": label} for label in row] for row in buttons]
    return {"keyboard": rows, "one_time_keyboard": True, "resize_keyboard": True}


def _read(answer: httpx.Response) -> Outcome:
    """Telegram's answer: `{"ok", "error_code", "parameters": {"retry_after"}}`."""
    if answer.status_code == HTTPStatus.OK:
        return "sent"
    if answer.status_code in (HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN):
        return "unreachable"
    if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND):
        raise NeedsPersonError("Telegram does not know this bot's token")
    if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        raise NotNow("Telegram asks to wait", delay=timedelta(seconds=_retry_after(answer)))
    raise NotNow(f"Telegram answered {answer.status_code}")


def _retry_after(answer: httpx.Response) -> float:
    try:
        return min(3600.0, max(1.0, float(read_json(answer)["parameters"]["retry_after"])))
    except (ValueError, KeyError, TypeError, OverflowError):
        return 30.0
