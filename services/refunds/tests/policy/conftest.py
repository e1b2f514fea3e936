"""Facts of an order and a request, and what the shops' policies say about them."""

from collections.abc import Callable
from typing import Any

import pytest

from refunds.domain.policy import Decision, Facts
from refunds.policies import decide

PAID = "2026-11-02T12:00:00+05:00"
ASKED = "2026-11-10T12:00:00+05:00"
ALL = ["order_number", "email", "phone", "full_name", "payment_date", "reason", "evidence"]
Decide = Callable[..., Decision]


def facts(storefront: str, reason: str, **parts: Any) -> dict[str, Any]:
    """Facts as JSON: delivered at once, untouched by an observation after the request, asked for on day 8.

    `order` and `request` are merged into what stands here; other parts replace it.
    """
    currency = "KZT" if storefront == "qazaq-esim" else "USD"
    value: dict[str, Any] = {
        "storefront": storefront,
        "order": {"paid_at": PAID, "paid": {"amount": "5990.00", "currency": currency}},
        "delivery": {"delivered_at": PAID},
        "profile": {"generated_at": PAID, "install_state": "released", "used_bytes": 0, "observed_at": ASKED},
        "request": {"received_at": ASKED, "reason": reason, "provided": ALL},
    }
    for name in ("order", "request"):
        value[name] |= parts.pop(name, {})
    return value | parts


@pytest.fixture
def make_facts() -> Callable[..., dict[str, Any]]:
    return facts


@pytest.fixture
def decided() -> Decide:
    """Decides under the shop's own policy."""

    def decided(storefront: str, reason: str, **parts: Any) -> Decision:
        return decide(Facts.model_validate(facts(storefront, reason, **parts)))

    return decided
