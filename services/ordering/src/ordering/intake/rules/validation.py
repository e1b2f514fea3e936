"""Whether an order can be accepted. One rule book for both ways in (HTTP and Kafka).

Reasons name fields and say what is expected; they never repeat what was sent (it may be personal).
"""

import re
from dataclasses import dataclass

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ordering.catalogue.models import Catalogue, Storefront
from shared.contracts import FieldError, Money, OrderRequest, Plan
from shared.values import iccid
from shared.values.email_address import Email
from shared.values.phone import Phone
from shared.values.refusal import InvalidValueError

INVALID = "invalid-order"
OUTDATED = "outdated-documents"
UNKNOWN_ESIM = "unknown-esim"
ENDED_ESIM = "ended-esim"
UNSUITABLE_PLAN = "unsuitable-plan"
UNKNOWN_STOREFRONT = "unknown-storefront"
BAD_KEY = "invalid-idempotency-key"
KEY_REUSED = "idempotency-key-reused"

_DETAILS = {
    INVALID: "The order cannot be accepted; see errors.",
    OUTDATED: "The buyer accepted documents that are not the current ones; show the current ones and ask again.",
    UNKNOWN_ESIM: "This shop has sold no eSIM with this ICCID (or it is not ready yet), so it cannot be topped up.",
    ENDED_ESIM: "This eSIM has ended for good and cannot be topped up; order a new eSIM.",
    UNSUITABLE_PLAN: "A top-up has the coverage of the eSIM's own plan; choose such a plan.",
    UNKNOWN_STOREFRONT: "No such storefront is in the catalogue.",
    BAD_KEY: "An idempotency key has 1 to 100 printable ASCII characters.",
    KEY_REUSED: "This idempotency key was used for another order; take a new key for a new order.",
}
_EXPECTED = {
    "": "must be a JSON object",
    "plan": "is not a plan of this storefront",
    "iccid": iccid.EXPECTED,
    "device_compatible": "must be true: the buyer confirms that the device supports eSIM and is not locked (PO 5.1)",
}
_FIELD_NAME = re.compile(r"[a-z_][a-z0-9_]{0,39}", re.ASCII | re.IGNORECASE)
_KEY = re.compile(r"[\x20-\x7e]{1,100}")
_MAX_ERRORS = 20


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an order is not accepted: a stable word, a sentence, and the fields at fault."""

    reason: str
    errors: tuple[FieldError, ...] = ()

    @property
    def detail(self) -> str:
        """One sentence for whoever sent the order."""
        return _DETAILS[self.reason]


@dataclass(frozen=True, slots=True)
class Approved:
    """An order that can be accepted, with everything looked up and in normal form."""

    request: OrderRequest
    plan: Plan
    price: Money
    email: Email
    phone: Phone


def valid_key(key: str) -> bool:
    """Whether this may be an idempotency key: 1 to 100 printable ASCII characters, so that HTTP can carry it too."""
    return _KEY.fullmatch(key) is not None


def judge(order: object, storefront: Storefront, catalogue: Catalogue) -> Approved | Refusal:
    """Apply every rule to an order as it came (a JSON value); all reasons that can be seen are given at once."""
    try:
        request = OrderRequest.model_validate(order)
    except ValidationError as error:
        return Refusal(INVALID, _described(error))
    found = _Findings()
    offer = catalogue.offer(storefront.slug, request.plan)
    if offer is None:
        found.add("plan", _EXPECTED["plan"])
    email = _email(request.buyer.email, found)
    phone = _phone(request.buyer.phone, storefront.phone_region, found)
    _documents(request, storefront, found)
    _kind(request, found)
    if found.errors or offer is None or email is None or phone is None:
        return found.refusal()
    return Approved(request, offer[0], offer[1], email, phone)


class _Findings:
    """Reasons so far. One common reason names the refusal; different ones make it an invalid order."""

    def __init__(self) -> None:
        self.errors: list[FieldError] = []
        self._reasons: set[str] = set()

    def add(self, field: str, message: str, reason: str = INVALID) -> None:
        self.errors.append(FieldError(field=field, message=message))
        self._reasons.add(reason)

    def refusal(self) -> Refusal:
        reason = next(iter(self._reasons)) if len(self._reasons) == 1 else INVALID
        return Refusal(reason, tuple(self.errors))


def _email(text: str, found: _Findings) -> Email | None:
    try:
        return Email.parse(text)
    except InvalidValueError as error:
        found.add("buyer.email", str(error))
        return None


def _phone(text: str, region: str | None, found: _Findings) -> Phone | None:
    try:
        return Phone.parse(text, region)
    except InvalidValueError as error:
        found.add("buyer.phone", str(error))
        return None


def _documents(request: OrderRequest, storefront: Storefront, found: _Findings) -> None:
    """Offer and consent count for the version in force only (PO 3.3, PO 8.1, PP 2.1)."""
    current = storefront.documents
    if request.offer_version != current.offer:
        found.add("offer_version", f"must be the current version, {current.offer}", OUTDATED)
    if request.privacy_version != current.privacy:
        found.add("privacy_version", f"must be the current version, {current.privacy}", OUTDATED)


def _kind(request: OrderRequest, found: _Findings) -> None:
    if request.kind == "esim" and request.iccid is not None:
        found.add("iccid", "must be left out: a new eSIM has no ICCID yet")
    elif request.kind == "top_up" and request.iccid is None:
        found.add("iccid", "is needed: it names the eSIM to top up")


def _described(error: ValidationError) -> tuple[FieldError, ...]:
    found = error.errors(include_url=False, include_context=False, include_input=False)[:_MAX_ERRORS]
    return tuple(FieldError(field=_field(item["loc"]), message=_message(item)) for item in found)


def _field(location: tuple[int | str, ...]) -> str:
    # A sender chooses the names of unknown fields, so they may be anything: only what looks like a name is repeated.
    return ".".join(part if _FIELD_NAME.fullmatch(part) else "?" for part in map(str, location)) or "body"


def _message(item: ErrorDetails) -> str:
    if item["type"] == "missing":
        return "is needed"
    if item["type"] == "extra_forbidden":
        return "is not a field of an order"
    return _EXPECTED.get(".".join(map(str, item["loc"])), item["msg"].removeprefix("Value error, "))
