"""Whether an order can be accepted: the same rules for HTTP and Kafka.

Errors name fields and say what is expected; they never repeat what was sent, because it may be personal.
"""

import re

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ordering.catalogue.models import Catalogue
from ordering.intake.models import INVALID, OUTDATED, Refusal, ValidOrder
from shared.contracts import Company, FieldError, OrderRequest
from shared.contracts.storefront import BuyerCompany
from shared.shops.models import Documents, Shop
from shared.values import iccid
from shared.values.email_address import Email
from shared.values.phone import Phone
from shared.values.refusal import InvalidValueError

_EXPECTED = {
    "": "must be a JSON object",
    "plan": "is not a plan of this storefront",
    "iccid": iccid.EXPECTED,
    "device_compatible": "must be true: the buyer confirms that the device supports eSIM and is not locked (PO 5.1)",
}
_FIELD_NAME = re.compile(r"[a-z_][a-z0-9_]{0,39}", re.ASCII | re.IGNORECASE)
_KEY = re.compile(r"[\x20-\x7e]{1,100}")
_MAX_ERRORS = 20


def valid_key(key: str) -> bool:
    """Whether this can be an idempotency key: 1 to 100 printable ASCII characters, which fit into an HTTP header."""
    return _KEY.fullmatch(key) is not None


def validate_order(order: object, storefront: Shop, catalogue: Catalogue) -> ValidOrder | Refusal:
    """Apply every rule to an order as it arrived (a JSON value). A refusal names all errors at once."""
    try:
        request = OrderRequest.model_validate(order)
    except ValidationError as error:
        return Refusal(INVALID, _field_errors(error))
    errors = _Errors()
    offer = catalogue.offer(storefront.slug, request.plan)
    if offer is None:
        errors.add("plan", _EXPECTED["plan"])
    email = _email(request.buyer.email, errors)
    phone = _phone(request.buyer.phone, storefront.phone_region, errors)
    buyers_company = _company(request.buyer.company, errors)
    _documents(request, catalogue.documents(storefront.slug), errors)
    _kind(request, errors)
    if errors.all or offer is None or email is None or phone is None:
        return errors.refusal()
    return ValidOrder(request, offer[0], offer[1], email, phone, buyers_company)


class _Errors:
    """Errors of one order. If all have the same reason, the refusal has it; otherwise it is an invalid order."""

    def __init__(self) -> None:
        self.all: list[FieldError] = []
        self._reasons: set[str] = set()

    def add(self, field: str, message: str, reason: str = INVALID) -> None:
        self.all.append(FieldError(field=field, message=message))
        self._reasons.add(reason)

    def refusal(self) -> Refusal:
        reason = next(iter(self._reasons)) if len(self._reasons) == 1 else INVALID
        return Refusal(reason, tuple(self.all))


def _email(text: str, errors: _Errors) -> Email | None:
    try:
        return Email.parse(text)
    except InvalidValueError as error:
        errors.add("buyer.email", str(error))
        return None


def _phone(text: str, region: str | None, errors: _Errors) -> Phone | None:
    try:
        return Phone.parse(text, region)
    except InvalidValueError as error:
        errors.add("buyer.phone", str(error))
        return None


def _company(given: BuyerCompany | None, errors: _Errors) -> Company | None:
    """The company with its number in normal form (PO 1)."""
    if given is None:
        return None
    try:
        return given.checked()
    except InvalidValueError as error:
        errors.add("buyer.company.number", str(error))
        return None


def _documents(request: OrderRequest, current: Documents, errors: _Errors) -> None:
    """Offer and privacy policy must be accepted in the versions in force (PO 3.3, PO 8.1, PP 2.1)."""
    if request.offer_version != current.offer:
        errors.add("offer_version", f"must be the current version, {current.offer}", OUTDATED)
    if request.privacy_version != current.privacy:
        errors.add("privacy_version", f"must be the current version, {current.privacy}", OUTDATED)


def _kind(request: OrderRequest, errors: _Errors) -> None:
    if request.kind == "esim" and request.iccid is not None:
        errors.add("iccid", "must be left out: a new eSIM has no ICCID yet")
    elif request.kind == "top_up" and request.iccid is None:
        errors.add("iccid", "is needed: it names the eSIM to top up")


def _field_errors(error: ValidationError) -> tuple[FieldError, ...]:
    faults = error.errors(include_url=False, include_context=False, include_input=False)[:_MAX_ERRORS]
    return tuple(FieldError(field=_field(item["loc"]), message=_message(item)) for item in faults)


def _field(location: tuple[int | str, ...]) -> str:
    # The sender chooses the names of unknown fields, which may be personal: only what looks like a field name is shown.
    return ".".join(part if _FIELD_NAME.fullmatch(part) else "?" for part in map(str, location)) or "body"


def _message(item: ErrorDetails) -> str:
    if item["type"] == "missing":
        return "is needed"
    if item["type"] == "extra_forbidden":
        return "is not a field of an order"
    return _EXPECTED.get(".".join(map(str, item["loc"])), item["msg"].removeprefix("Value error, "))
