"""Reads filters, makes and reads cursors, and protects cells of CSV."""

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from ordering.orders.models import (
    DEFAULT_PAGE,
    FILTERS,
    LARGEST_PAGE,
    AlteredCursorError,
    Filters,
    Place,
    UnservableError,
)
from ordering.timeline.models import Status
from shared.contracts.base import Slug
from shared.values.email_address import Email
from shared.values.moment import MomentOrUtc
from shared.values.refusal import InvalidValueError

_SLUG: TypeAdapter[str] = TypeAdapter(Slug)
_MOMENT: TypeAdapter[datetime] = TypeAdapter(MomentOrUtc)
_LONGEST_TEXT = 320  # of an address; a submission id has at most 100
_DIGITS = re.compile("[0-9]{1,4}")
_VERSION = b"\x01"
_EPOCH = datetime.fromtimestamp(0, UTC)
_MICROSECOND = timedelta(microseconds=1)
_TIME_BYTES = 8
_BODY = len(_VERSION) + _TIME_BYTES + 16
_MAC = 16


def read_filters(parameters: Sequence[tuple[str, str]], others: Sequence[str]) -> Filters:
    """Read the query of a list; `others` are parameters with another meaning. Raises UnservableError.

    An unknown parameter is refused: ignoring it would answer with orders that were not asked for.
    """
    faults: dict[str, str] = {}
    values: dict[str, str] = {}
    for name, value in parameters:
        if name not in FILTERS and name not in others:
            faults[name] = f"is no filter; there are {', '.join(FILTERS)}"
        elif name in values:
            faults[name] = "is given twice"
        values[name] = value
    read: dict[str, Any] = {}
    for name, parse in _PARSERS.items():
        if name in values and name not in faults:
            try:
                read |= parse(values[name])
            except ValueError as error:
                faults[name] = str(error)
    filters = Filters(**read)
    if filters.since is not None and filters.until is not None and filters.since >= filters.until:
        faults["to"] = "must be later than `from`"
    if faults:
        raise UnservableError(faults)
    return filters


def read_limit(text: str | None) -> int:
    """How many orders a page has. Raises UnservableError."""
    if text is None:
        return DEFAULT_PAGE
    if not (_DIGITS.fullmatch(text) and 1 <= int(text) <= LARGEST_PAGE):
        raise UnservableError({"limit": f"must be a number from 1 to {LARGEST_PAGE}"})
    return int(text)


def _status(text: str) -> dict[str, Any]:
    try:
        return {"status": Status(text)}
    except ValueError:
        raise InvalidValueError(f"must be one of {', '.join(Status)}") from None


def _plan(text: str) -> dict[str, Any]:
    try:
        return {"plan": _SLUG.validate_python(text)}
    except ValidationError:
        raise InvalidValueError("must be the id of a plan, such as `tr-5gb-30d`") from None


def _moment(name: str) -> Callable[[str], dict[str, Any]]:
    def parse(text: str) -> dict[str, Any]:
        try:
            return {name: _MOMENT.validate_python(text)}
        except ValidationError:
            raise InvalidValueError("must be a moment (ISO 8601) in the years 2000 to 2099") from None

    return parse


def _email(text: str) -> dict[str, Any]:
    return {"mailbox": Email.parse(text).key}


def _text(text: str) -> dict[str, Any]:
    text = text.strip()
    if not 0 < len(text) <= _LONGEST_TEXT or not text.isprintable():
        raise InvalidValueError(
            f"must be an order number, an order id, your submission id, an ICCID or an e-mail address, whole, "
            f"with at most {_LONGEST_TEXT} characters"
        )
    try:
        return {"text": text, "text_mailbox": Email.parse(text).key}
    except InvalidValueError:
        return {"text": text}


_PARSERS: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "status": _status,
    "plan": _plan,
    "from": _moment("since"),
    "to": _moment("until"),
    "email": _email,
    "q": _text,
}


class Cursors:
    """Makes and reads cursors: opaque to shops, and valid for the shop and the filters that they were made for only.

    `secret` is the same in all instances of the service; with another one, cursors that are in use end.
    """

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"order list cursor", hashlib.sha256)

    def make(self, storefront: str, filters: Filters, place: Place) -> str:
        """The cursor of the page behind that place."""
        time = (place.placed_at - _EPOCH) // _MICROSECOND
        body = _VERSION + time.to_bytes(_TIME_BYTES) + place.order_id.bytes
        return urlsafe_b64encode(body + self._mac(storefront, filters, body)).decode().rstrip("=")

    def read(self, storefront: str, filters: Filters, cursor: str) -> Place:
        """The place that a cursor names. Raises AlteredCursorError."""
        try:
            whole = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        except (Base64Error, ValueError):
            raise AlteredCursorError from None
        body, mac = whole[:_BODY], whole[_BODY:]
        # Compared as text too: base64 has several spellings of the same bytes.
        if urlsafe_b64encode(whole).decode().rstrip("=") != cursor or not hmac.compare_digest(
            mac, self._mac(storefront, filters, body)
        ):
            raise AlteredCursorError
        time = int.from_bytes(body[len(_VERSION) : len(_VERSION) + _TIME_BYTES])
        return Place(_EPOCH + time * _MICROSECOND, UUID(bytes=body[len(_VERSION) + _TIME_BYTES :]))

    def _mac(self, storefront: str, filters: Filters, body: bytes) -> bytes:
        bound = f"{storefront}\x1e{filters.canonical()}\x1e".encode()
        return hmac.digest(self._key, len(bound).to_bytes(4) + bound + body, hashlib.sha256)[:_MAC]


def cell(value: object) -> str:
    """A cell of CSV that no spreadsheet takes for a formula (OWASP, CSV injection): such text gets a leading `'`."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text
