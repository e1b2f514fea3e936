"""The Bot API below /telegram: sendMessage, setWebhook, getWebhookInfo, getMe, getFile; people who write to bots."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from sandbox.exchange import Call, Reply, deliver, overlay, play
from sandbox.faults import FaultBook, Rule
from sandbox.front import Route
from sandbox.outward import new_client
from sandbox.settings import Settings
from sandbox.telegram.ledger import ChatMessage, TelegramLedger, Webhook

_LONGEST = 4096
#: Of what bots may download.
_LARGEST_FILE = 20 * 10**6
Method = Callable[[str, dict[str, Any]], Reply]


class Telegram:
    """All bots of the sandbox. `settings.telegram_bots` names them: `<name>=<token>`."""

    def __init__(self, settings: Settings, ledger: TelegramLedger, faults: FaultBook) -> None:
        self._faults = faults
        self._bots = {token: name for name, _, token in (bot.partition("=") for bot in settings.telegram_bots)}
        self._client = new_client(timeout=settings.webhook_timeout_seconds)
        self._retry_seconds = settings.webhook_first_retry_seconds
        self.ledger = ledger
        if settings.telegram_webhook_url:
            secret = settings.telegram_webhook_secret
            for name in self._bots.values():
                url = f"{settings.telegram_webhook_url}/{name}"
                ledger.webhooks[name] = Webhook(url=url, secret_token=secret)

    def routes(self) -> list[Route]:
        """The Bot API's paths."""
        return [
            Route.of("POST", "/telegram/bot{token}/{method}", self.call),
            Route.of("GET", "/telegram/file/bot{token}/photos/{name}", self.file),
        ]

    async def file(self, call: Call) -> Reply:
        """The content of a photo, where getFile says that it is."""
        token, name = call.args
        content = self.ledger.files.get(name)

        def perform() -> Reply:
            if token not in self._bots or content is None:
                return _error(404, "Not Found")
            return Reply(200, content, {"content-type": "application/octet-stream"})

        return await play(self._faults, "telegram.file", {"file": name}, perform, _refused)

    async def call(self, call: Call) -> Reply:
        """One method of the Bot API, by JSON or form data."""
        token, method = call.args
        body = call.json() if "json" in call.headers.get("content-type", "") else dict(call.form())
        bot = self._bots.get(token)
        methods: dict[str, Method] = {
            "sendMessage": self._send_message,
            "setWebhook": self._set_webhook,
            "getWebhookInfo": self._webhook_info,
            "getFile": self._get_file,
            "getMe": lambda bot, _: _ok({"id": 1, "is_bot": True, "first_name": bot, "username": f"{bot}_bot"}),
        }

        def perform() -> Reply:
            if bot is None:
                return _error(401, "Unauthorized")
            if method not in methods:
                return _error(404, "Not Found")
            if body is None:
                return _error(400, "Bad Request: can't parse the body")
            return methods[method](bot, body)

        if method != "sendMessage":
            return perform()
        fields = {"bot": bot or "", "chat_id": (body or {}).get("chat_id")}
        return await play(self._faults, "telegram.send", fields, perform, _refused)

    def _send_message(self, bot: str, body: dict[str, Any]) -> Reply:
        try:
            chat_id = int(body["chat_id"])
        except (KeyError, TypeError, ValueError):
            return _error(400, "Bad Request: chat_id is empty")
        text = body.get("text")
        if not isinstance(text, str) or not text.strip():
            return _error(400, "Bad Request: message text is empty")
        if (refused := self._unwelcome(bot, chat_id, text)) is not None:
            return refused
        try:
            buttons = _buttons(body.get("reply_markup"))
        except (TypeError, ValueError, KeyError):
            return _error(400, "Bad Request: can't parse reply keyboard markup JSON object")
        number = self.ledger.next_id()
        message = ChatMessage(id=number, bot=bot, chat_id=chat_id, direction="from_bot", text=text, buttons=buttons)
        self.ledger.put(message)
        return _ok({"message_id": number, "chat": {"id": chat_id, "type": "private"}, "text": text})

    def _unwelcome(self, bot: str, chat_id: int, text: str) -> Reply | None:
        if len(text) > _LONGEST:
            return _error(400, "Bad Request: message is too long")
        if not self.ledger.knows(bot, chat_id):
            return _error(400, "Bad Request: chat not found")
        if (bot, chat_id) in self.ledger.blocked:
            return _error(403, "Forbidden: bot was blocked by the user")
        return None

    def _set_webhook(self, bot: str, body: dict[str, Any]) -> Reply:
        self.ledger.webhooks[bot] = Webhook(
            url=str(body.get("url") or ""), secret_token=str(body.get("secret_token") or "")
        )
        return _ok(result=True)

    def _get_file(self, _bot: str, body: dict[str, Any]) -> Reply:
        name = str(body.get("file_id"))
        content = self.ledger.files.get(name)
        if content is None:
            return _error(400, "Bad Request: invalid file_id")
        if len(content) > _LARGEST_FILE:
            return _error(400, "Bad Request: file is too big")
        return _ok({"file_id": name, "file_size": len(content), "file_path": f"photos/{name}"})

    def _webhook_info(self, bot: str, _body: dict[str, Any]) -> Reply:
        return _ok({"url": self.ledger.webhooks.get(bot, Webhook()).url, "pending_update_count": 0})

    async def write(
        self, bot: str, chat_id: int, text: str, *, language: str = "en", fields: dict[str, Any] | None = None
    ) -> list[int | None]:
        """A person writes to a bot; returns the webhook's answers, the last one 200 unless it was given up.

        `fields` are laid over the update: a photo, a contact, another kind of chat. Raises LookupError where the bot
        has no webhook.
        """
        webhook = self.ledger.webhooks.get(bot, Webhook())
        if not webhook.url:
            raise LookupError(f"the bot {bot} has no webhook; set one with setWebhook")
        number = self.ledger.next_id()
        message: dict[str, Any] = {
            "message_id": number,
            "date": 0,
            "chat": {"id": chat_id, "type": "private", "first_name": "Sandbox"},
            "from": {"id": chat_id, "is_bot": False, "first_name": "Sandbox", "language_code": language},
            "text": text,
        }
        update = overlay({"update_id": number, "message": message}, fields or {})
        photo = update["message"].get("photo") if isinstance(update.get("message"), dict) else None
        file_id = str(photo[-1]["file_id"]) if photo else None
        self.ledger.put(
            ChatMessage(
                id=number, bot=bot, chat_id=chat_id, direction="to_bot", text=text, file_id=file_id, update_id=number
            )
        )
        return await self._deliver(bot, webhook, update)

    async def _deliver(self, bot: str, webhook: Webhook, update: dict[str, Any]) -> list[int | None]:
        def send(forgery: Rule | None) -> Awaitable[int | None]:
            if forgery is not None:
                return self._once(webhook.url, "forged", overlay(update, forgery.fields))
            return self._once(webhook.url, webhook.secret_token, update)

        fields = {"bot": bot, "update_id": update["update_id"]}
        return await deliver(self._faults, "telegram.webhook", fields, send, self._retry_seconds)

    async def _once(self, url: str, secret: str, update: dict[str, Any]) -> int | None:
        headers = {"content-type": "application/json", "x-telegram-bot-api-secret-token": secret}
        try:
            return (await self._client.post(url, content=json.dumps(update), headers=headers)).status_code
        except (httpx.HTTPError, httpx.InvalidURL):
            return None

    async def close(self) -> None:
        """Hang up, and let go of the file."""
        await self._client.aclose()
        self.ledger.book.close()


def _buttons(markup: object) -> list[list[str]]:
    """The labels of a reply keyboard; it may come as JSON inside JSON."""
    value = json.loads(markup) if isinstance(markup, str) else markup
    if value is None:
        return []
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return [[b if isinstance(b, str) else str(b["text"]) for b in row] for row in value.get("keyboard", [])]


def _ok(result: object) -> Reply:
    return Reply.of(200, {"ok": True, "result": result})


def _error(status: int, description: str, **parameters: int) -> Reply:
    body: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
    return Reply.of(status, body | ({"parameters": parameters} if parameters else {}))


def _refused(rule: Rule) -> Reply:
    """429 with `code` seconds to wait, unless `status` says otherwise."""
    status = rule.status or 429
    message = rule.message or ("Too Many Requests" if status == 429 else "Forbidden")  # noqa: PLR2004 - as HTTP has it
    return _error(status, message, retry_after=rule.code or 1) if status == 429 else _error(status, message)  # noqa: PLR2004 - as above
