"""Facts of an order and a request, and what the shops' policies say about them."""

from collections.abc import Callable

import pytest

from refunds.policy import Decision, Facts
from refunds.policy.store import policies_in
from shared.contracts import Language
from shared.testing.documents import Json, JsonObject
from shared.testing.shops import EXAMPLES

decide = policies_in(EXAMPLES).decide

PAID = "2026-11-02T12:00:00+05:00"
ASKED = "2026-11-10T12:00:00+05:00"
ALL = ["order_number", "email", "phone", "full_name", "payment_date", "reason", "evidence"]
#: A profile that nobody has touched, as the operator reported after the request.
UNTOUCHED: JsonObject = {"generated_at": PAID, "install_state": "released", "used_bytes": 0, "observed_at": ASKED}
Decide = Callable[..., Decision]


def facts(storefront: str, reason: str, **parts: Json) -> JsonObject:
    """Facts as JSON: delivered at once, untouched by an observation after the request, asked for on day 8.

    `order`, `request` and `used` (the profile) are merged into what stands here; other parts replace it.
    """
    currency = "KZT" if storefront == "qazaq-esim" else "USD"
    value: JsonObject = {
        "storefront": storefront,
        "order": {"paid_at": PAID, "paid": {"amount": "5990.00", "currency": currency}},
        "delivery": {"delivered_at": PAID},
        "profile": dict(UNTOUCHED),
        "request": {"received_at": ASKED, "reason": reason, "provided": ALL},
    }
    for name in ("order", "request"):
        value[name] |= parts.pop(name, {})
    if "used" in parts:
        parts["profile"] = UNTOUCHED | parts.pop("used")
    return value | parts


@pytest.fixture
def make_facts() -> Callable[..., JsonObject]:
    return facts


@pytest.fixture
def decided() -> Decide:
    """Decides under the shop's own policy."""

    def decided(storefront: str, reason: str, **parts: object) -> Decision:
        return decide(Facts.model_validate(facts(storefront, reason, **parts)))

    return decided


@pytest.fixture
def assert_decided(decided: Decide) -> Callable[..., None]:
    """Compares the decision under the shop's own policy with `expected`: a verdict and the clauses that it cites."""

    def check(storefront: str, reason: str, parts: JsonObject, expected: tuple[str, ...]) -> None:
        verdict, *grounds = expected
        decision = decided(storefront, reason, **parts)
        cited = [f"{ground.document} {ground.clause}" for ground in decision.grounds]
        assert (decision.verdict, cited) == (verdict, grounds)
        paid = f"5990.00 {'KZT' if storefront == 'qazaq-esim' else 'USD'}"
        assert (str(decision.refund) if decision.refund else None) == (paid if verdict == "approve" else None)
        assert decision.missing == ()
        appeals: dict[Language, str] = {
            "en": "appeal",
            "ru": "обжаловать",
            "kk": "шағымдана аласыз",
            "ka": "გაასაჩივრო",
        }
        for language, appeal in appeals.items():
            text = decision.explanation.text(language)
            assert paid in text
            for clause in grounds:
                assert clause in text
            assert verdict != "deny" or appeal in text

    return check
