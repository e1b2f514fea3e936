"""The sandbox as tests and the tour see it: addresses, faults, ledgers, mails; over HTTP, so any sandbox will do."""

import base64
import re
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from sandbox.outward import new_client
from sandbox.storefront import SUCCESS, Card, PaymentResult, pay

JsonObject = dict[str, Any]

#: Six digits that no letter, digit or hyphen touches: a name or an id may contain six digits in a row too.
_CODE = re.compile(r"(?<![\w-])\d{6}(?![\w-])")


def one_time_code(text: str) -> str | None:
    """The six-digit code that a mail or a text message shows to its reader, or None where it shows none."""
    code = _CODE.search(text)
    return code[0] if code else None


class SandboxClient:
    """Drives a running sandbox. Use it as an async context manager, or call `close`."""

    def __init__(self, http_url: str, smtp_host: str = "127.0.0.1", smtp_port: int = 8025) -> None:
        self.http_url = http_url.rstrip("/")
        self.smtp_host = smtp_host
        self.smtp_port = smtp_port
        self.client = new_client(base_url=self.http_url, timeout=30)

    @property
    def bank_url(self) -> str:
        """The bank's root: token below /oauth2, the page below /payform."""
        return f"{self.http_url}/epay"

    @property
    def bank_api_url(self) -> str:
        """The base of check-status and operations."""
        return f"{self.http_url}/epay/api"

    @property
    def operator_url(self) -> str:
        """The operator's root: ES2+ below /gsma/rsp2/es2plus, the feed below /usage."""
        return f"{self.http_url}/operator"

    def operator_url_of(self, operator: str) -> str:
        """The root of another operator."""
        return self.operator_url if operator == "primary" else f"{self.http_url}/operators/{operator}"

    @property
    def cashbox_url(self) -> str:
        """Webkassa's root: its calls below /api/v4."""
        return f"{self.http_url}/webkassa"

    async def __aenter__(self) -> Self:
        """Nothing is opened before the first call."""
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Hang up."""
        await self.close()

    async def close(self) -> None:
        """Hang up."""
        await self.client.aclose()

    async def faults(self, *rules: Mapping[str, Any]) -> list[JsonObject]:
        """Add rules to those in force; each comes back with its id."""
        return _objects(await self._call("POST", "/control/faults", [dict(rule) for rule in rules]), "rules")

    async def active_faults(self) -> list[JsonObject]:
        """All rules with their counts: `hits` tells how often one struck."""
        return _objects(await self._call("GET", "/control/faults"), "rules")

    async def replace_faults(self, *rules: Mapping[str, Any]) -> list[JsonObject]:
        """The same, in place of all that are there: at no moment is there none."""
        return _objects(await self._call("PUT", "/control/faults", [dict(rule) for rule in rules]), "rules")

    async def clear_faults(self) -> None:
        """Let everything work again."""
        await self._call("DELETE", "/control/faults")

    async def ledger_bank(self, since: int | str = "") -> list[JsonObject]:
        """The bank's transactions, those changed last at the end."""
        return _objects(await self._call("GET", f"/control/ledger/bank?since={since}"), "transactions")

    async def transaction(self, invoice_id: str) -> JsonObject | None:
        """The bank's transaction of an invoice."""
        return next((one for one in await self.ledger_bank() if one["invoiceID"] == invoice_id), None)

    async def ledger_operator(self, since: int | str = "", operator: str = "") -> list[JsonObject]:
        """An operator's profiles, or all operators', those changed last at the end."""
        path = f"/control/ledger/operator?since={since}&operator={operator}"
        return _objects(await self._call("GET", path), "profiles")

    async def ledger_cashbox(self, since: int | str = "") -> list[JsonObject]:
        """The receipts, the newest at the end."""
        return _objects(await self._call("GET", f"/control/ledger/cashbox?since={since}"), "checks")

    async def cashbox_shifts(self) -> list[JsonObject]:
        """The shifts; `closedAt` is the moment of the Z-report."""
        return _objects(await self._call("GET", "/control/ledger/cashbox"), "shifts")

    async def cashbox_violations(self) -> list[JsonObject]:
        """Requests that overlapped another one for the same register."""
        return _objects(await self._call("GET", "/control/ledger/cashbox"), "violations")

    async def ledger_mail(self, since: int | str = "") -> JsonObject:
        """`counts` and `messages` of the mail server."""
        return await self._call("GET", f"/control/ledger/mail?since={since}")

    async def mails(self, to: str = "", after: int = 0, limit: int = 1000) -> list[JsonObject]:
        """Mails with a larger id than `after`, whole: headers, text, html, attachments."""
        params = httpx.QueryParams(to=to, after=after, limit=limit)
        listed = _objects(await self._call("GET", f"/mail/api/messages?{params}"), "messages")
        return [await self._call("GET", f"/mail/api/messages/{one['id']}") for one in listed]

    async def requests(self, path: str = "", limit: int = 1000) -> list[JsonObject]:
        """What reached the bank and the operator, newest first, those whose path contains the text."""
        params = httpx.QueryParams(path=path, limit=limit)
        return _objects(await self._call("GET", f"/control/requests?{params}"), "requests")

    async def pay(self, payment_object: Mapping[str, Any], card: Card = SUCCESS) -> PaymentResult:
        """The buyer pays."""
        return await pay(self.client, self.bank_url, payment_object, card)

    async def shop_page(self, name: str, payment_object: Mapping[str, Any], title: str, price: str) -> str:
        """A storefront's page that sells this; returns its address.

        `/thanks` and `/declined` below it are there for the payment object's backLink and failureBackLink.
        """
        body = {"title": title, "price": price, "payment": dict(payment_object)}
        return self.http_url + str((await self._call("PUT", f"/shop/{name}", body))["path"])

    async def settle(self, invoice_id: str, status: str = "CHARGE", **more: Any) -> JsonObject:
        """A payment in progress (card …0004) ends."""
        return await self._call("POST", "/control/bank/settle", {"invoiceID": invoice_id, "status": status, **more})

    async def resend_webhook(self, invoice_id: str, **more: Any) -> None:
        """The bank sends a webhook once more: `times`, `url`, `fields` to write over it."""
        await self._call("POST", "/control/webhooks/resend", {"invoiceID": invoice_id, **more})

    async def bank_behaviour(self, **changes: Any) -> JsonObject:
        """deduplicate_refunds, partial_refund_status, amount_after_refund."""
        return await self._call("PUT", "/control/bank/behaviour", changes)

    async def cashbox_behaviour(self, **changes: Any) -> JsonObject:
        """original_in_duplicate, flat_registration, history_filters."""
        return await self._call("PUT", "/control/cashbox/behaviour", changes)

    async def age_shift(self, cashbox: str, hours: float = 25) -> JsonObject:
        """The register's open shift has lasted so much longer."""
        return await self._call("POST", "/control/cashbox/shift", {"cashbox": cashbox, "hours": hours})

    async def expire_sessions(self) -> JsonObject:
        """Webkassa knows none of its tokens any more."""
        return await self._call("POST", "/control/cashbox/sessions/expire")

    async def operator_catalogue(self, **changes: Any) -> JsonObject:
        """operator, profile_types, stock, allowances, progress_url, push_url, push_secret."""
        return await self._call("PUT", "/control/operator/catalogue", changes)

    async def operator_behaviour(self, **changes: Any) -> JsonObject:
        """How an operator behaves (README.md): `feed="silent"` knows nothing. `afresh`: as its documents say again."""
        return await self._call("PUT", "/control/operator/behaviour", changes)

    async def phone(self, iccid: str, *points: int | str, **more: Any) -> JsonObject:
        """The phone reaches notification points: 3 downloaded, 4 installed, 5 deleted."""
        return await self._call("POST", "/control/operator/phone", {"iccid": iccid, "points": list(points), **more})

    async def use_data(self, iccid: str, used_bytes: int | None, **more: Any) -> JsonObject:
        """The phone's data counter stands here now; None: the operator does not know. `validUntil` ends the plan."""
        return await self._call("POST", "/control/operator/usage", {"iccid": iccid, "usedBytes": used_bytes, **more})

    async def scan(self, code: str, eid: str, *steps: str, **more: Any) -> JsonObject:
        """A phone scans an activation code: `ok`, `iccid`, `installState`, or the codes of the refusal.

        Steps: download, install, enable, disable, delete; without any: the first three. `ids="string"`: as some
        vendors number their notifications.
        """
        body = {"code": code, "eid": eid, **({"steps": list(steps)} if steps else {}), **more}
        return await self._call("POST", "/control/operator/phone", body)

    async def push_usage(self, iccid: str, **more: Any) -> list[int | None]:
        """Push the usage now: `times`, `fields`, `signature` (genuine, wrong, missing), `replay`, `url`."""
        answers: list[int | None] = (await self._call("POST", "/control/operator/push", {"iccid": iccid, **more}))[
            "answers"
        ]
        return answers

    @property
    def airalo_url(self) -> str:
        """The base of the reseller's API."""
        return f"{self.http_url}/airalo/v2"

    async def ledger_airalo(self) -> JsonObject:
        """`orders` and `sims` of the reseller."""
        return await self._call("GET", "/control/ledger/airalo")

    async def airalo(self, **changes: Any) -> JsonObject:
        """stock, credit, maintenance, refunds (approve, manual, deny), suspended, nested, forget_tokens.

        And how it spells: filler, apn, confirmation, fails, status_word, sim_fields, order_fields, usage_fields, empty.
        """
        return await self._call("PUT", "/control/airalo/behaviour", changes)

    async def airalo_sim(self, iccid: str, **changes: Any) -> JsonObject:
        """What an eSIM does: `status`, `used_mb`."""
        return await self._call("PUT", "/control/airalo/sim", {"iccid": iccid, **changes})

    async def airalo_webhook(self, **more: Any) -> list[int | None]:
        """The last webhook again: `request_id`, `times`, `signature` (genuine, wrong, missing), `body`."""
        answers: list[int | None] = (await self._call("POST", "/control/airalo/webhook", more))["answers"]
        return answers

    @property
    def telegram_url(self) -> str:
        """The Bot API's base: methods below /bot<token>."""
        return f"{self.http_url}/telegram"

    async def telegram_webhook(self, url: str, secret: str, token: str = "1000:sandbox-esimka") -> None:  # noqa: S107 - the stand-in's own
        """Set a bot's webhook, as its owner does once."""
        await self._call("POST", f"/telegram/bot{token}/setWebhook", {"url": url, "secret_token": secret})

    async def telegram_write(self, chat: int, text: str, bot: str = "esimka", **more: Any) -> list[int | None]:
        """A person writes to a bot: `language`, `fields` to lay over the update. Returns the webhook's answers."""
        body = {"bot": bot, "chat": chat, "text": text, **more}
        answers: list[int | None] = (await self._call("POST", "/control/telegram/message", body))["answers"]
        return answers

    async def telegram_file(self, file_id: str, content: bytes) -> None:
        """A file that a person then sends: its id stands in the photo of a message."""
        body = {"file_id": file_id, "content": base64.b64encode(content).decode()}
        await self._call("PUT", "/control/telegram/file", body)

    async def telegram_block(self, chat: int, bot: str = "esimka", *, blocked: bool = True) -> None:
        """A person blocks a bot."""
        await self._call("PUT", "/control/telegram/blocked", {"bot": bot, "chat": chat, "blocked": blocked})

    async def telegram_chat(self, chat: int, bot: str = "esimka") -> list[JsonObject]:
        """What the bot wrote to a person, oldest first."""
        messages = _objects(await self._call("GET", "/control/ledger/telegram"), "messages")
        return [m for m in messages if (m["bot"], m["chatId"], m["direction"]) == (bot, chat, "from_bot")]

    @property
    def whatsapp_url(self) -> str:
        """The Graph API's base, with its version."""
        return f"{self.http_url}/whatsapp/v23.0"

    async def whatsapp_webhook(self, url: str, number: str = "qazaq-esim") -> None:
        """Set a number's webhook, as its owner does once: the address answers a challenge."""
        await self._call("PUT", "/control/whatsapp/webhook", {"number": number, "url": url})

    async def whatsapp_write(
        self, wa_id: str, text: str = "", *, number: str = "qazaq-esim", file: bytes | None = None, **more: Any
    ) -> list[int | None]:
        """A person writes to a number: `fields` to lay over the message. Returns the webhook's answers."""
        sent = None if file is None else base64.b64encode(file).decode()
        body = {"number": number, "wa_id": wa_id, "text": text, "file": sent, **more}
        answers: list[int | None] = (await self._call("POST", "/control/whatsapp/message", body))["answers"]
        return answers

    async def whatsapp_reaching(self, **changes: Any) -> None:
        """Who cannot be reached (`number`, `blocked`), and how long the window is (`window_seconds`)."""
        await self._call("PUT", "/control/whatsapp/reaching", changes)

    async def whatsapp_chat(self, wa_id: str, number: str = "qazaq-esim") -> list[JsonObject]:
        """What the business wrote to a person, oldest first."""
        messages = _objects(await self._call("GET", "/control/ledger/whatsapp"), "messages")
        rows = [m for m in messages if (m["number"], m["waId"], m["direction"]) == (number, wa_id, "from_business")]
        return sorted(rows, key=lambda message: int(message["seq"]))

    async def arrive(self, mailbox: str, raw: bytes) -> int:
        """A message arrives in a mailbox, as its server has received it. Returns its UID."""
        body = {"mailbox": mailbox, "raw": base64.b64encode(raw).decode()}
        uid: int = (await self._call("POST", "/control/imap/messages", body))["uid"]
        return uid

    async def mailbox(self, mailbox: str) -> list[JsonObject]:
        """What is in a mailbox, oldest first: `uid`, `flags`, `fetched`, `raw`."""
        messages = _objects(await self._call("GET", "/control/ledger/imap"), "messages")
        return sorted((one for one in messages if one["mailbox"] == mailbox), key=lambda one: int(one["uid"]))

    @property
    def sms_url(self) -> str:
        """The SMS gateway's call."""
        return f"{self.http_url}/sms/messages"

    async def texts(self, to: str = "") -> list[JsonObject]:
        """The messages to a phone (or to all), oldest first: `sender`, `text`, `repeats`."""
        messages = _objects(await self._call("GET", "/control/ledger/sms"), "messages")
        return [one for one in sorted(messages, key=lambda one: str(one["at"])) if not to or one["to"] == to]

    async def reset(self) -> None:
        """Empty ledgers, no faults."""
        await self._call("POST", "/control/reset")

    async def healthy(self) -> bool:
        """Whether everything serves."""
        try:
            return (await self.client.get("/health")).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    async def payment_object(self, invoice_id: str, amount: float, **fields: Any) -> JsonObject:
        """A payment object with a fresh token, as the payments service would hand out: for tests of the sandbox."""
        terminal = fields.pop("terminal", "67e34d63-102f-4bd1-898e-370781d0074d")
        form = {
            "grant_type": "client_credentials",
            "scope": "payment",
            "client_id": "sandbox",
            "client_secret": "sandbox-secret",
            "invoiceID": invoice_id,
            "secret_hash": fields.pop("secret_hash", f"hash-{time.monotonic_ns()}"),
            "amount": str(amount),
            "currency": "KZT",
            "terminal": terminal,
            "postLink": fields.get("postLink", ""),
            "failurePostLink": fields.get("failurePostLink", ""),
        }
        answer = await self.client.post("/epay/oauth2/token", data=form)
        answer.raise_for_status()
        payment = {"invoiceId": invoice_id, "amount": amount, "currency": "KZT", "terminal": terminal}
        return payment | {"auth": answer.json()} | fields

    async def _call(self, method: str, path: str, body: object = None) -> JsonObject:
        answer = await self.client.request(method, path, json=body)
        if answer.is_error:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        value: JsonObject = answer.json()
        return value


def _objects(answer: JsonObject, name: str) -> list[JsonObject]:
    value: list[JsonObject] = answer[name]
    return value
