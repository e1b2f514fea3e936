"""Webhooks with the right secret and wrong words: bank, operators, reseller, Telegram, mail server."""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from hostile import values
from hostile.context import Context
from hostile.target import EPAY_TERMINAL, TELEGRAM_SECRET, TELEGRAM_SHOP, WHATSAPP_NUMBER, WHATSAPP_SHOP

_BOUNCE = """From: MAILER-DAEMON@mx.example
To: {to}
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

It did not work.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; {to}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user
--b--
"""
_NESTED = 3000


def _now() -> str:
    return datetime.now(UTC).isoformat()


async def bank(context: Context) -> None:
    """Epay's postLink, which nobody signs: spoiled, or forged for a real order's payment."""
    rng = context.rng
    invoice = rng.choice(context.paid).invoice_id if context.paid else "000000123456"
    good = {
        "id": "67e34d63-102f-4bd1-898e-370781d0074e",
        "invoiceId": invoice,
        "code": rng.choice(["ok", "error"]),
        "reason": "success",
        "reasonCode": 0,
        "amount": 1,
        "currency": "USD",
        "terminal": EPAY_TERMINAL,
        "secret_hash": "guessed",
        "dateTime": _now(),
    }
    await _post(context, "webhook of the bank", f"{context.target.site.url('payments')}/epay/webhook", good, {})


async def operator(context: Context) -> None:
    """ES2+ handleDownloadProgressInfo with the operator's own secret (SGP.22 section 5.3.6)."""
    rng = context.rng
    environment = context.environment("provisioning")
    name, secret = rng.choice(sorted(json.loads(environment["NOTIFICATION_SECRETS"]).items()))
    good = {
        "header": {"functionRequesterIdentifier": "2.999.9", "functionCallIdentifier": "n-1"},
        "iccid": "8999702000000000017",
        "profileType": "tr-5gb-30d",
        "timestamp": _now(),
        "notificationPointId": rng.randrange(1, 6),
        "notificationPointStatus": {"status": "Executed-Success"},
        "eid": "89049032123451234512345678901235",
    }
    path = f"/operators/{name}/key/{secret}/gsma/rsp2/es2plus/handleDownloadProgressInfo"
    headers = {"X-Admin-Protocol": rng.choice(["gsma/rsp/v2.5.0", "gsma/rsp/v3.1.0", "nonsense"])}
    await _post(context, "webhook of an operator", context.target.site.url("provisioning") + path, good, headers)


async def usage(context: Context) -> None:
    """A signed usage push."""
    environment = context.environment("provisioning")
    name, secret = context.rng.choice(sorted(json.loads(environment["USAGE_PUSH_SECRETS"]).items()))
    good = {
        "iccid": "8999702000000000017",
        "timestamp": _now(),
        "id": "push-1",
        "state": "enabled",
        "usedBytes": 10,
        "totalBytes": 100,
        "firstUseAt": _now(),
    }
    url = f"{context.target.site.url('provisioning')}/operators/{name}/usage"

    def signed(body: bytes) -> Mapping[str, str]:
        return {"X-Signature": f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"}

    await _post(context, "webhook of a usage feed", url, good, {}, signed)


async def reseller(context: Context) -> None:
    """Airalo's webhook, signed with the client secret."""
    operators = json.loads(context.environment("provisioning")["OPERATORS"])
    known = next(one for one in operators if one.get("adapter") == "airalo")
    secret = known["credentials"]["client_secret"]
    good = {
        "request_id": "r-1",
        "status": "completed",
        "data": {"id": 1, "sims": [{"iccid": "8999702000000000017F", "qrcode": "LPA:1$a.example$B$$1"}]},
    }
    url = f"{context.target.site.url('provisioning')}/operators/{known['name']}/airalo/webhook"

    def signed(body: bytes) -> Mapping[str, str]:
        return {"airalo-signature": hmac.new(secret.encode(), body, hashlib.sha512).hexdigest()}

    await _post(context, "webhook of a reseller", url, good, {}, signed)


async def telegram(context: Context) -> None:
    """An update of the shop's bot."""
    rng = context.rng
    words = ["/start", "/refund", "it does not work", context.order_id(), "+7 701 123 45 67", values.text(rng)]
    good = {
        "update_id": rng.randrange(2**31),
        "message": {
            "message_id": 1,
            "date": 1_790_000_000,
            "chat": {"id": rng.randrange(1, 50), "type": "private"},
            "from": {"id": rng.randrange(1, 50), "is_bot": False, "first_name": "H", "language_code": "en"},
            "text": rng.choice(words),
        },
    }
    url = f"{context.target.site.url('refunds')}/telegram/{TELEGRAM_SHOP}"
    await _post(context, "webhook of Telegram", url, good, {"X-Telegram-Bot-Api-Secret-Token": TELEGRAM_SECRET})


async def whatsapp(context: Context) -> None:
    """Messages and statuses of the shop's number, signed."""
    rng = context.rng
    words = ["/start", "верните деньги", context.order_id(), "1", values.text(rng)]
    message: dict[str, Any] = {"from": f"7701{rng.randrange(50):07d}", "id": f"wamid.{rng.randrange(2**31)}"}
    image = {"type": "image", "image": {"id": "1", "caption": "x"}}
    message |= rng.choice([{"type": "text", "text": {"body": rng.choice(words)}}, image])
    status = {"id": f"wamid.{rng.randrange(2**31)}", "status": "failed", "recipient_id": "77010000001"}
    metadata = {"phone_number_id": WHATSAPP_NUMBER["phone_number_id"]}
    change = {"value": {"metadata": metadata, "messages": [message], "statuses": [status]}}
    url = f"{context.target.site.url('refunds')}/whatsapp/{WHATSAPP_SHOP}"
    secret = str(WHATSAPP_NUMBER["app_secret"]).encode()

    def signed(body: bytes) -> Mapping[str, str]:
        return {"X-Hub-Signature-256": "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()}

    await _post(context, "webhook of WhatsApp", url, {"entry": [{"changes": [change]}]}, {}, signed)


async def bounce(context: Context) -> None:
    """A mail that came back, or something that says it is one."""
    rng = context.rng
    good = _BOUNCE.format(to=rng.choice(["a@b.example", "bounce+x@esim.example", values.text(rng)[:100]]))
    raw = good.encode("utf-8", "surrogatepass")
    choice = rng.random()
    if choice < 0.1:
        raw = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (n, n) for n in range(_NESTED))
    elif choice < 0.15:
        raw = b"Content-Type: message/rfc822\n\n" * _NESTED
    elif choice < 0.8:
        raw = values.spoiled_bytes(rng, raw)
    headers = {**context.bearer(context.environment("notifications")["BOUNCE_KEY"]), "Content-Type": "message/rfc822"}
    url = f"{context.target.site.url('notifications')}/bounces"
    await context.sender.send("bounced mail", "POST", url, content=raw, headers=headers)


async def _post(
    context: Context,
    attack: str,
    url: str,
    good: Mapping[str, Any],
    headers: Mapping[str, str],
    sign: Callable[[bytes], Mapping[str, str]] = lambda _body: {},
) -> None:
    """Send the body spoiled, sometimes as bytes that are no JSON, sometimes so often."""
    rng = context.rng
    body = as_json(values.spoiled(rng, dict(good)))
    if rng.random() < 0.15:
        body = values.spoiled_bytes(rng, as_json(dict(good)))
    elif rng.random() < 0.03:
        body = values.deep(rng.choice([100, 5_000, 100_000])).encode()
    sent = {"Content-Type": "application/json", **headers, **sign(body)}
    for _ in range(rng.choice([1, 1, 1, 3])):
        await context.sender.send(attack, "POST", url, content=body, headers=sent)


def as_json(value: Any) -> bytes:
    """JSON with whatever is in it: lone surrogates stay escaped, NaN and Infinity stand as JavaScript writes them."""
    return json.dumps(value).encode()
