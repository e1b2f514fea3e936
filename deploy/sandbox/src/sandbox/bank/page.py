"""The bank's own page: the only place where a card is typed in. `payment-api.js` brings a shop's buyer here."""

import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sandbox.exchange import Call, Reply
from sandbox.money import to_minor

_FILES = Path(__file__).parent / "templates"
_TEMPLATES = Environment(loader=FileSystemLoader(_FILES), autoescape=True, undefined=StrictUndefined)
_SCRIPT = (_FILES / "payment-api.js").read_bytes()
#: The page's own script and style, and nothing from elsewhere; nobody may frame it.
_CLOSED = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:; "
    "frame-ancestors 'none'; base-uri 'none'"
)


async def script(_call: Call) -> Reply:
    """The script a shop's page loads."""
    return Reply(200, _SCRIPT, {"content-type": "text/javascript; charset=utf-8"})


async def page(call: Call) -> Reply:
    """The card form for the payment object that halyk.pay() was given."""
    payment = _payment(call.form().get("payment", ""))
    amount = None if payment is None else to_minor(payment.get("amount"))
    if payment is None or amount is None:
        return Reply(400, b"halyk.pay() was not given a payment object", {"content-type": "text/plain"})
    html = _TEMPLATES.get_template("page.html").render(
        payment=payment,
        amount=f"{amount // 100:,}.{amount % 100:02d}",
        currency=str(payment.get("currency", "")),
        description=str(payment.get("description", "")),
        invoice=str(payment.get("invoiceId", "")),
    )
    headers = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": _CLOSED,
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
    }
    return Reply(200, html.encode(), headers)


def _payment(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
