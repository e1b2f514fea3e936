"""The object that a storefront passes to `halyk.pay()` (docs/wire/epay.md). It never contains card data."""

import json
from collections.abc import Mapping
from typing import Any

from payments.clients.models import Payer, Purchase
from shared.values.money import to_major

DESCRIPTION_BYTES = 125
#: The payment page's codes of languages [?]. For any other language the page is in English.
_LANGUAGES = {"ru": "rus", "kk": "kaz"}


def payment_object(
    purchase: Purchase,
    payer: Payer,
    *,
    auth: Mapping[str, Any],
    terminal: str,
    post_link: str,
    back_link: str = "",
    failure_back_link: str = "",
    language: str | None = None,
) -> dict[str, Any]:
    """The payment object; `auth` is the bank's whole answer to the token request for this invoice."""
    return {
        "invoiceId": str(purchase.invoice_id),
        "backLink": back_link,
        "failureBackLink": failure_back_link or back_link,
        "postLink": post_link,
        "failurePostLink": post_link,
        "language": _LANGUAGES.get(language or payer.language, "eng"),
        "description": description(purchase.plan_title, purchase.order_number),
        "accountId": purchase.buyer_id,
        "terminal": terminal,
        "amount": to_major(purchase.amount),
        "currency": purchase.currency,
        "name": payer.name,
        "phone": payer.phone,
        "email": payer.email,
        "data": json.dumps({"order": purchase.order_number}),
        "auth": dict(auth),
    }


def description(plan_title: str, order_number: str) -> str:
    """The text on the payment page, at most 125 bytes of UTF-8. The order number is never cut."""
    tail = f", order {order_number}"
    room = DESCRIPTION_BYTES - len(tail.encode())
    return plan_title.encode()[:room].decode("utf-8", "ignore").rstrip() + tail
