"""Parses answers of the Airalo Partner API v2, and decides what their codes mean (docs/wire/airalo.md).

There is no idempotency key. Our order number is in `description`, and an order is looked up by it before it is sent
again.

Description, order status, activation code and ICCID of an eSIM are required where they decide. Any other field that
cannot be parsed is unknown and counted; its order and the list around it are read all the same.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Literal

from provisioning.clients.fields import (
    MOST_BYTES,
    Fields,
    Unparsed,
    boolean,
    count,
    iccid,
    number,
    opaque,
    read_object,
    text,
    utc_moment,
    word,
)
from provisioning.clients.models import (
    OperatorNotSent,
    OperatorProfile,
    OperatorRefused,
    OperatorUnknown,
    UsageReport,
    refused,
)
from shared.contracts import InstallState, InstallStatus, OperatorStatus, Usage
from shared.values.activation_code import ActivationCode
from shared.values.refusal import InvalidValueError

SOURCE = "airalo"
NAME = "airalo"
SIGNATURE = "airalo-signature"
STOCK, PACKAGE, RECYCLED = 33, 34, 73
Kind = Literal["sim", "topup"]
UsageState = Literal["NOT_ACTIVE", "ACTIVE", "FINISHED", "UNKNOWN", "EXPIRED", "RECYCLED"]

_MEBIBYTE = 1024 * 1024
_MOST_WORDS = 200
_LONGEST_TOKEN, _LONGEST_APN = 8000, 100
_PART = opaque(255)
_DAY_SECONDS = 86_400
_SYSTEMS = {"ios": "iOS", "android": "Android"}
_LARGEST_INT = 2**31 - 1
#: Codes for which a repetition cannot help. 11 (credit) and 13 (maintenance) are temporary.
_FINAL = {
    STOCK: "The reseller has no such eSIM in stock.",
    PACKAGE: "The reseller does not sell this package.",
    43: "The reseller does not accept this order.",
    RECYCLED: "The eSIM has been recycled.",
}
_LATER = {11: "our credit at the reseller is used up", 13: "the reseller's operator is under maintenance"}
#: The install state that a usage state proves. NOT_ACTIVE is about the network: a phone may have the profile.
_INSTALLED: dict[UsageState, InstallState] = {"ACTIVE": "enabled", "FINISHED": "installed"}
_STATES: dict[str, UsageState] = {
    "notactive": "NOT_ACTIVE",
    "active": "ACTIVE",
    "finished": "FINISHED",
    "unknown": "UNKNOWN",
    "expired": "EXPIRED",
    "recycled": "RECYCLED",
}
_OVER = frozenset({"FINISHED", "EXPIRED", "RECYCLED"})
#: Status of an order that was carried out, will not be, and was taken back. Any other status proves nothing yet.
_COMPLETED, _FAILED, _REFUNDED = {"completed"}, {"failed", "cancelled", "canceled", "rejected"}, {"refunded"}


@dataclass(frozen=True, slots=True)
class Sim:
    """One eSIM of an order. `profile`: None where its activation code cannot be read."""

    iccid: str
    profile: OperatorProfile | None


@dataclass(frozen=True, slots=True)
class Order:
    """One order in an answer of `POST /orders` or of the list. `type` and `status` None: absent, or not parsed."""

    id: int | None
    description: str | None
    type: Kind | None = None
    sims: tuple[Sim, ...] = ()
    status: str | None = None

    @property
    def refunded(self) -> bool:
        return self.status in _REFUNDED

    @property
    def failed(self) -> bool:
        """It will not be carried out, and contains no eSIM."""
        return self.status in _FAILED and not self.sims

    @property
    def completed(self) -> bool:
        """Carried out, as far as is reported: the answer to an order has no status."""
        return self.status is None or self.status in _COMPLETED


@dataclass(frozen=True, slots=True)
class Listed:
    """Orders of a list. `shown`: the list's length. `complete` false: an order could not be read."""

    orders: tuple[Order, ...]
    shown: int
    complete: bool


@dataclass(frozen=True, slots=True)
class UsageAnswer:
    """An answer of `GET /sims/{iccid}/usage`."""

    state: UsageState
    install: InstallStatus
    report: UsageReport

    @property
    def in_use(self) -> bool:
        return self.state in _INSTALLED or bool(self.report.usage.used_bytes)


@dataclass(frozen=True, slots=True)
class Notice:
    """A webhook about an asynchronous order. `code` None: it was carried out."""

    request_id: str
    reference: str | None
    code: int | None


def read_order(body: bytes, unparsed: Unparsed) -> Order | None:
    """The answer of `POST /orders` and `/orders/topups`; None where it is no order."""
    fields = read_object(body, NAME, unparsed)
    data = fields.child("data") if fields else None
    return _order(data) if data and any(data.has(name) for name in ("id", "code", "sims")) else None


def read_orders(body: bytes, unparsed: Unparsed) -> Listed | None:
    """The answer of `GET /orders`; None where it is no list."""
    fields = read_object(body, NAME, unparsed)
    if fields is None or not fields.is_list("data"):
        return None
    listed = [_order(item) if item else None for item in fields.items("data")]
    orders = tuple(order for order in listed if order is not None)
    return Listed(orders, len(listed), complete=len(orders) == len(listed))


def read_accepted(body: bytes, unparsed: Unparsed) -> str | None:
    """The request id of an asynchronous order."""
    fields = read_object(body, NAME, unparsed)
    return fields.child("data").get("request_id", opaque(_MOST_WORDS)) if fields else None


def read_token(body: bytes, unparsed: Unparsed) -> tuple[str, float] | None:
    """A token and its validity in seconds."""
    fields = read_object(body, NAME, unparsed)
    data = fields.child("data") if fields else None
    token = data.get("access_token", opaque(_LONGEST_TOKEN)) if data else None
    if data is None or token is None:
        return None
    return token, float(data.get("expires_in", count(_DAY_SECONDS * 366)) or _DAY_SECONDS)


def read_refund(body: bytes, unparsed: Unparsed) -> str | None:
    """The number of a refund request; "" where there is none."""
    fields = read_object(body, NAME, unparsed)
    return (fields.child("data").get("refund_id", text(_MOST_WORDS)) or "") if fields else None


def read_usage(body: bytes, observed_at: datetime, unparsed: Unparsed) -> UsageAnswer | None:
    """Usage in bytes. The API gives MB of 1024 * 1024 bytes, and no time: `observed_at` is that of the first query."""
    fields = read_object(body, NAME, unparsed)
    if fields is None:
        return None
    data = fields.child("data")
    parsed = _STATES.get(data.get("status", word) or "")
    if parsed is None and data.has("status"):
        data.note("status")
    total, used = (None, None) if parsed == "UNKNOWN" else _bytes(data)
    usage = Usage(used_bytes=used, total_bytes=total, source=SOURCE, observed_at=observed_at)
    status = parsed or "UNKNOWN"
    state = _INSTALLED.get(status, "unknown")
    install = (
        InstallStatus() if state == "unknown" else InstallStatus(state=state, source=SOURCE, observed_at=observed_at)
    )
    # A plan that is used up has been used, whenever that began.
    first_used_at = observed_at if status == "FINISHED" else None
    report = UsageReport(usage, first_used_at, data.get("expired_at", utc_moment), ended=status in _OVER)
    return UsageAnswer(status, install, report)


def read_notice(body: bytes, unparsed: Unparsed) -> Notice | None:
    """A webhook's body: the order in `data`, or the order itself with a `request_id`.

    The request id is required. Where the code cannot be read, the list of orders shows how the order ended.
    """
    fields = read_object(body, "airalo-webhook", unparsed)
    if fields is None:
        return None
    order = fields.child("data") if fields.is_object("data") else fields
    request_id = (fields if fields.has("request_id") else order).get("request_id", opaque(_MOST_WORDS))
    if request_id is None:
        return None
    code = fields.get("code", count(_LARGEST_INT)) if fields.has("reason") else None
    return Notice(request_id, order.get("description", text(_MOST_WORDS)), code)


def _order(data: Fields) -> Order | None:
    """None where the description cannot be read: it may be any order."""
    reference = data.get("description", text(_MOST_WORDS))
    if reference is None and data.has("description"):
        return None
    kind = data.get("type", word)
    if kind not in (None, "sim", "topup"):
        data.note("type")
    listed = [_sim(one) if one else None for one in data.items("sims")]
    return Order(
        id=data.get("id", count()),
        description=reference,
        type="sim" if kind == "sim" else "topup" if kind == "topup" else None,
        sims=tuple(sim for sim in listed if sim is not None),
        status=data.child("status", value_of="slug").get("slug", word),
    )


def _sim(data: Fields) -> Sim | None:
    number_ = data.get("iccid", iccid)
    return Sim(number_, _profile(data, number_)) if number_ else None


def _profile(data: Fields, about: str) -> OperatorProfile | None:
    parts = f"1${data.get('lpa', _PART) or ''}${data.get('matching_id', _PART) or ''}"
    code = data.get("qrcode", _code) or _code(parts)
    if code is None:
        return None
    confirmation_code = data.get("confirmation_code", text(100))
    return OperatorProfile(
        smdp_address=code.smdp_address,
        matching_id=code.matching_id,
        confirmation_code=confirmation_code,
        iccid=about,
        apn=_apn(data),
        oid=code.oid,
        asks_confirmation_code=code.needs_confirmation_code or confirmation_code is not None,
    )


def _code(value: object) -> ActivationCode | None:
    """An activation code that a phone accepts: with an address and a matching id."""
    try:
        code = ActivationCode.parse(value) if isinstance(value, str) else None
    except InvalidValueError:
        return None
    return code if code is not None and code.matching_id else None


def _apn(data: Fields) -> str | None:
    """The APN to enter; "" where phones find it themselves, None where it is not reported.

    Reported per system (`apn.ios`, `apn.android`) or once. Two that differ are both named: a buyer may have either.
    """
    systems = {name: data.child("apn", value_of="value").child(key) for key, name in _SYSTEMS.items()}
    reported = {name: value for name, one in systems.items() if (value := one.get("apn_value", text(_LONGEST_APN)))}
    if len(set(reported.values())) > 1:
        return ", ".join(f"{value} ({name})" for name, value in reported.items())
    one = data.child("apn", value_of="value").get("value", text(_LONGEST_APN))
    value = next(iter(reported.values()), None) or one or data.get("apn_value", text(_LONGEST_APN))
    kinds = {one.get("apn_type", word) for one in (*systems.values(), data)} - {None}
    return value or ("" if kinds == {"automatic"} else None)


def _bytes(data: Fields) -> tuple[int | None, int | None]:
    """Total and used bytes, each where it is reported. A plan without a limit has neither."""
    unlimited = data.get("is_unlimited", boolean)
    total, remaining = data.get("total", number), data.get("remaining", number)
    if unlimited or (unlimited is None and data.has("is_unlimited")) or total is None or total == 0:
        return None, None
    if not 0 < total * _MEBIBYTE <= MOST_BYTES:
        data.note("total")
        return None, None
    if remaining is not None and not 0 <= remaining <= total:
        data.note("remaining")
        remaining = None
    used = None if remaining is None else round(total * _MEBIBYTE) - round(remaining * _MEBIBYTE)
    return round(total * _MEBIBYTE), used


def is_signed(body: bytes, signature: str | None, secret: str) -> bool:
    """HMAC-SHA512 of the raw body, in constant time."""
    expected = hmac.new(secret.encode(), body, hashlib.sha512).hexdigest()
    return hmac.compare_digest(expected.encode(), (signature or "").strip().lower().encode())


def ours(orders: Sequence[Order], reference: str, kind: Kind) -> Order | None:
    """Our own order in a list: the search also finds descriptions that contain the reference.

    Where there are two, the oldest that did not fail.
    """
    exact = [order for order in orders if order.description == reference and order.type in (None, kind)]
    return min(exact, key=lambda order: (order.failed, order.id is None, order.id or 0), default=None)


def refusal(http_status: int, body: bytes, unparsed: Unparsed) -> OperatorRefused | OperatorNotSent | OperatorUnknown:
    """The outcome of an order whose answer is not a success."""
    if http_status == HTTPStatus.TOO_MANY_REQUESTS:
        return OperatorNotSent("the reseller limits the rate of calls", timedelta(minutes=1))
    if http_status == HTTPStatus.UNPROCESSABLE_ENTITY:
        problem = read_object(body, NAME, unparsed)
        code = problem.get("code", count(_LARGEST_INT)) if problem else None
        if problem is not None and code is not None:
            return of_code(code, problem.get("reason", text(_MOST_WORDS)) or "")
        if problem is not None and problem.has("code"):
            return OperatorUnknown("the reseller's reason cannot be read")
        return refused("The reseller does not understand this order.")
    if HTTPStatus.MULTIPLE_CHOICES <= http_status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return OperatorNotSent(f"HTTP {http_status}")
    return OperatorUnknown(f"HTTP {http_status}")


def of_code(code: int, reason: str = "") -> OperatorRefused | OperatorNotSent | OperatorUnknown:
    """The outcome of a code of HTTP 422. 53 (unexpected error) does not prove that nothing happened."""
    statuses = (OperatorStatus(subject_code=SOURCE, reason_code=str(code), message=reason[:_MOST_WORDS]),)
    if code in _FINAL:
        return refused(_FINAL[code], statuses, out_of_stock=code == STOCK)
    if code in _LATER:
        return OperatorNotSent(_LATER[code], statuses=statuses)
    return OperatorUnknown("the reseller reports an internal error", statuses=statuses)
