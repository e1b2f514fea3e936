"""The Cloud API below /whatsapp: messages, media, webhooks; and people who write to a business's number."""

import asyncio
import hashlib
import hmac
import json
import secrets
from collections.abc import Awaitable
from typing import Any
from urllib.parse import urlencode

import httpx

from sandbox.exchange import Call, Reply, deliver, overlay, play
from sandbox.faults import FaultBook, Rule
from sandbox.front import Route
from sandbox.outward import new_client
from sandbox.settings import Settings
from sandbox.whatsapp.ledger import StoredMedia, WhatsAppLedger, WhatsAppMessage

_LONGEST = 4096
_WINDOW_CLOSED, _UNDELIVERABLE = 131047, 131026


class WhatsApp:
    """All numbers of the sandbox. `settings.whatsapp_numbers` names them: `<name>=<phone_number_id>=<token>`."""

    def __init__(self, settings: Settings, ledger: WhatsAppLedger, faults: FaultBook) -> None:
        self._faults = faults
        parts = [number.split("=", 2) for number in settings.whatsapp_numbers]
        self._names = {phone_number_id: name for name, phone_number_id, _ in parts}
        self._tokens = {phone_number_id: token for _, phone_number_id, token in parts}
        self._ids = {name: phone_number_id for name, phone_number_id, _ in parts}
        self._templates = dict(template.partition("=")[::2] for template in settings.whatsapp_templates)
        self._secret = settings.whatsapp_app_secret.encode()
        self._verify_token = settings.whatsapp_verify_token
        self._client = new_client(timeout=settings.webhook_timeout_seconds)
        self._retry_seconds = settings.webhook_first_retry_seconds
        self._reports: set[asyncio.Task[None]] = set()
        self._settings_window = settings.whatsapp_window_seconds
        self.window_seconds = self._settings_window
        self.ledger = ledger
        if settings.whatsapp_webhook_url:
            ledger.webhooks |= {name: f"{settings.whatsapp_webhook_url}/{name}" for name in self._ids}

    def routes(self) -> list[Route]:
        """The API's paths."""
        return [
            Route.of("POST", "/whatsapp/{version}/{number}/messages", self.send),
            Route.of("GET", "/whatsapp/{version}/{media}", self.media),
        ]

    def reset(self) -> None:
        """Empty the ledger; the window is the settings' again."""
        self.ledger.clear()
        self.window_seconds = self._settings_window

    # --- the API ----------------------------------------------------------------------------------------------------

    async def send(self, call: Call) -> Reply:
        """Send a message: a text within the window, or an approved template."""
        number = self._names.get(call.args[1])
        body = call.json() or {}

        def perform() -> Reply:
            if number is None or not self._is_authorized(call, call.args[1]):
                return _error(401, 190, "Invalid OAuth access token")
            return self._accept(number, body)

        fields = {"number": number or "", "to": body.get("to"), "type": body.get("type")}
        return await play(self._faults, "whatsapp.send", fields, perform, _refused)

    def _accept(self, number: str, body: dict[str, Any]) -> Reply:
        to, kind = str(body.get("to", "")), body.get("type")
        if body.get("messaging_product") != "whatsapp" or not to.isdecimal():
            return _error(400, 100, "Invalid parameter")
        part = body.get(str(kind))
        text, language = "", ""
        if kind == "text" and isinstance(part, dict):
            text = str(part.get("body", ""))
            if not text.strip() or len(text) > _LONGEST:
                return _error(400, 100, "Param text['body'] must be at most 4096 characters long.")
        elif kind == "template" and isinstance(part, dict):
            text, language = str(part.get("name")), str(part.get("language", {}).get("code"))
            if language not in self._templates.get(text, "").split(","):
                return _error(404, 132001, "Template name does not exist in the translation")
        else:
            return _error(400, 131051, "Message type is not currently supported")
        seq, message_id = self.ledger.next_id(to)
        message = WhatsAppMessage(
            seq=seq,
            id=message_id,
            number=number,
            wa_id=to,
            direction="from_business",
            kind=str(kind),
            text=text,
            language=language,
        )
        self.ledger.put(message)
        report = asyncio.get_running_loop().create_task(self._report(message))
        self._reports.add(report)
        report.add_done_callback(self._reports.discard)
        contacts = [{"input": to, "wa_id": to}]
        return Reply.of(200, {"messaging_product": "whatsapp", "contacts": contacts, "messages": [{"id": message_id}]})

    async def media(self, call: Call) -> Reply:
        """Where a file is, or the file itself below `attachments`."""
        version, media_id = call.args
        stored = self.ledger.media.get(media_id)

        def perform() -> Reply:
            if not any(self._is_authorized(call, number) for number in self._tokens):
                return _error(401, 190, "Invalid OAuth access token")
            if stored is None:
                return _error(400, 100, "Unsupported get request. Object with this ID does not exist")
            if version == "attachments":
                return Reply(200, stored.content, {"content-type": stored.mime_type})
            url = f"http://{call.headers.get('host', '')}/whatsapp/attachments/{media_id}"
            described = {"url": url, "mime_type": stored.mime_type, "file_size": stored.size, "id": media_id}
            return Reply.of(200, described | {"messaging_product": "whatsapp"})

        return await play(self._faults, "whatsapp.media", {"media": media_id, "step": version}, perform, _refused)

    def _is_authorized(self, call: Call, phone_number_id: str) -> bool:
        return call.headers.get("authorization") == f"Bearer {self._tokens.get(phone_number_id)}"

    # --- webhooks ---------------------------------------------------------------------------------------------------

    async def connect(self, number: str, url: str) -> bool:
        """Set a number's webhook, once the address has proved with a challenge that it is its owner's."""
        challenge = str(secrets.randbelow(10**9))
        query = {"hub.mode": "subscribe", "hub.verify_token": self._verify_token, "hub.challenge": challenge}
        try:
            answer = await self._client.get(f"{url}?{urlencode(query)}")
        except (httpx.HTTPError, httpx.InvalidURL):
            return False
        proved = answer.status_code == httpx.codes.OK and answer.text == challenge
        if proved:
            self.ledger.webhooks[number] = url
        return proved

    async def write(
        self,
        number: str,
        wa_id: str,
        text: str,
        *,
        file: bytes | None = None,
        announced_size: int | None = None,
        fields: dict[str, Any] | None = None,
    ) -> list[int | None]:
        """A person writes to a number; returns the webhook's answers, the last one 200 unless it was given up.

        `fields` are laid over the message. Raises LookupError where the number has no webhook.
        """
        if number not in self.ledger.webhooks:
            raise LookupError(f"the number {number} has no webhook")
        seq, message_id = self.ledger.next_id(wa_id)
        message: dict[str, Any] = {"from": wa_id, "id": message_id, "timestamp": "1790000000", "type": "text"}
        media_id = None
        if file is None:
            message["text"] = {"body": text}
        else:
            media_id = f"9{seq:014d}"
            self.ledger.media[media_id] = StoredMedia(file, "image/jpeg", announced_size or len(file))
            digest = hashlib.sha256(file).hexdigest()
            image = {"id": media_id, "mime_type": "image/jpeg", "sha256": digest, "caption": text}
            message |= {"type": "image", "image": image}
        message = overlay(message, fields or {})
        self.ledger.hear(number, wa_id)
        self.ledger.put(
            WhatsAppMessage(
                seq=seq,
                id=message_id,
                number=number,
                wa_id=wa_id,
                direction="to_business",
                kind=str(message["type"]),
                text=text,
                media_id=media_id,
            )
        )
        contacts = [{"profile": {"name": "Sandbox"}, "wa_id": wa_id}]
        return await self._deliver(number, {"contacts": contacts, "messages": [message]}, message_id)

    async def _report(self, message: WhatsAppMessage) -> None:
        """What becomes of a message of the business: delivered, or not, and why."""
        pair = (message.number, message.wa_id)
        failure = 0
        if message.kind != "template" and not self.ledger.is_open(*pair, self.window_seconds):
            failure = _WINDOW_CLOSED
        elif pair in self.ledger.blocked:
            failure = _UNDELIVERABLE
        for status in ("failed",) if failure else ("sent", "delivered"):
            message.statuses.append(status)
            self.ledger.put(message)
            row: dict[str, Any] = {"id": message.id, "status": status, "timestamp": "1790000001"}
            row["recipient_id"] = message.wa_id
            if failure:
                row["errors"] = [{"code": failure, "title": "Message was not delivered"}]
            if message.number in self.ledger.webhooks:
                await self._deliver(message.number, {"statuses": [row]}, message.id)

    async def _deliver(self, number: str, value: dict[str, Any], message_id: str) -> list[int | None]:
        url = self.ledger.webhooks[number]
        metadata = {"display_phone_number": "70000000000", "phone_number_id": self._ids[number]}
        change = {"field": "messages", "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}
        body = {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]}

        def send(forgery: Rule | None) -> Awaitable[int | None]:
            if forgery is not None:
                return self._once(url, overlay(body, forgery.fields), b"forged")
            return self._once(url, body, self._secret)

        fields = {"number": number, "id": message_id, "has": max(value)}
        return await deliver(self._faults, "whatsapp.webhook", fields, send, self._retry_seconds)

    async def _once(self, url: str, body: dict[str, Any], secret: bytes) -> int | None:
        raw = json.dumps(body).encode()
        signature = "sha256=" + hmac.new(secret, raw, hashlib.sha256).hexdigest()
        headers = {"content-type": "application/json", "x-hub-signature-256": signature}
        try:
            return (await self._client.post(url, content=raw, headers=headers)).status_code
        except (httpx.HTTPError, httpx.InvalidURL):
            return None

    async def close(self) -> None:
        """Stop reporting, hang up, and let go of the file."""
        for report in tuple(self._reports):
            report.cancel()
        await asyncio.gather(*self._reports, return_exceptions=True)
        await self._client.aclose()
        self.ledger.book.close()


def _error(status: int, code: int, message: str) -> Reply:
    error = {"message": f"(#{code}) {message}", "type": "OAuthException", "code": code, "fbtrace_id": "sandbox"}
    return Reply.of(status, {"error": error})


def _refused(rule: Rule) -> Reply:
    """130429 (the number's throughput) with 429, unless `code` and `status` say otherwise."""
    code = int(rule.code or 130429)
    return _error(rule.status or (429 if code == 130429 else 400), code, rule.message or "Rate limit hit")  # noqa: PLR2004 - Meta's own
