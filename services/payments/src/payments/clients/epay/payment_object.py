"""The object that a storefront hands to `halyk.pay()` (docs/wire/epay.md). Card data never comes here."""

import json
from dataclasses import dataclass
from typing import Any

from shared.values.money import to_major

DESCRIPTION_BYTES = 125
#: The payment page's own words [?]; a language it does not have becomes English.
_LANGUAGES = {"ru": "rus", "kk": "kaz"}


@dataclass(slots=True, frozen=True, repr=False)
class Payer:
    """Whom the payment page greets. Personal data: it goes into the object and nowhere else."""

    name: str
    email: str
    phone: str
    language: str


@dataclass(slots=True, frozen=True)
class Purchase:
    """What is paid for; the amount in minor units."""

    invoice_id: int
    order_number: str
    buyer_id: str
    plan_title: str
    amount: int
    currency: str


def payment_object(
    purchase: Purchase,
    payer: Payer,
    *,
    auth: dict[str, Any],
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
        "auth": auth,
    }


def description(plan_title: str, order_number: str) -> str:
    """What the buyer reads on the page, at most 125 bytes of UTF-8; the order number is never cut."""
    tail = f", order {order_number}"
    room = DESCRIPTION_BYTES - len(tail.encode())
    return plan_title.encode()[:room].decode("utf-8", "ignore").rstrip() + tail
