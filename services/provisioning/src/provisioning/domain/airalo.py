"""Airalo Partner API v2: its answers as typed values, and what its codes mean for us (interfaces.md section 4).

There is no idempotency key: our order number stands in `description`, and an order is looked up by it before it is
asked for again.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from provisioning.domain.operator import Made, NotNow, Refused, Unknown, UsageReport
from shared.contracts import InstallState, InstallStatus, OperatorStatus, Usage

SOURCE = "airalo"
SIGNATURE = "airalo-signature"
STOCK, PACKAGE, RECYCLED = 33, 34, 73
Kind = Literal["sim", "topup"]
UsageState = Literal["NOT_ACTIVE", "ACTIVE", "FINISHED", "UNKNOWN", "EXPIRED", "RECYCLED"]

_MEBIBYTE = 1024 * 1024
_MOST_WORDS = 200
_CODE = re.compile(r"^(LPA:)?1\$(?P<address>[A-Za-z0-9.-]+(:[0-9]+)?)\$(?P<matching_id>[^$]+)")
#: Repeating the same request cannot help. 11 (credit) and 13 (maintenance) will be over some time.
_FINAL = {
    STOCK: "The reseller has no such eSIM in stock.",
    PACKAGE: "The reseller does not sell this package.",
    43: "The reseller does not accept this order.",
    RECYCLED: "The eSIM has been recycled.",
}
_LATER = {11: "our credit at the reseller is used up", 13: "the reseller's operator is under maintenance"}
#: What a state says about the phone. NOT_ACTIVE is about the network: nobody knows whether a phone has the profile.
_INSTALLED: dict[UsageState, InstallState] = {"ACTIVE": "enabled", "FINISHED": "installed"}
_OVER = frozenset({"FINISHED", "EXPIRED", "RECYCLED"})
M = TypeVar("M", bound=BaseModel)


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Sim(_Wire):
    """One eSIM of an order. `qrcode` is the whole activation code: a secret."""

    iccid: str = Field(pattern=r"^[0-9]{18,20}$")
    lpa: str | None = None
    matching_id: str | None = None
    qrcode: str | None = None
    confirmation_code: str | None = None
    apn_value: str | None = None

    def made(self) -> Made | None:
        """The profile, ready to be downloaded; None where the code cannot be read."""
        parts = f"1${self.lpa or ''}${self.matching_id or ''}"
        found = _CODE.match(self.qrcode or "") or _CODE.match(parts)
        if found is None:
            return None
        return Made(
            smdp_address=found["address"],
            matching_id=found["matching_id"],
            confirmation_code=self.confirmation_code or None,
            iccid=self.iccid,
            apn=self.apn_value or None,
        )


class _Status(_Wire):
    slug: str = ""


class Order(_Wire):
    """One order as `POST /orders` and the list tell it."""

    id: int
    type: str = "sim"
    description: str | None = None
    sims: list[Sim] = Field(default_factory=list)
    status: _Status = Field(default_factory=_Status)

    @property
    def refunded(self) -> bool:
        return self.status.slug == "refunded"


class _Envelope(_Wire):
    data: Order


class _List(_Wire):
    data: list[Order]


class _Accepted(_Wire):
    request_id: str = Field(min_length=1, max_length=200)


class _AcceptedEnvelope(_Wire):
    data: _Accepted


class _Token(_Wire):
    access_token: str = Field(min_length=1)
    expires_in: float = 86_400


class _TokenEnvelope(_Wire):
    data: _Token


class _Refund(_Wire):
    refund_id: str | int = ""


class _RefundEnvelope(_Wire):
    data: _Refund


class _Problem(_Wire):
    code: int
    reason: str = ""


class _UsageFields(_Wire):
    remaining: float | None = None
    total: float | None = None
    expired_at: str | None = None
    is_unlimited: bool = False
    status: UsageState = "UNKNOWN"


class _UsageEnvelope(_Wire):
    data: _UsageFields


@dataclass(frozen=True, slots=True)
class UsageAnswer:
    """What `GET /sims/{iccid}/usage` says."""

    state: UsageState
    install: InstallStatus
    report: UsageReport

    @property
    def in_use(self) -> bool:
        return self.state in _INSTALLED


@dataclass(frozen=True, slots=True)
class Notice:
    """A webhook about an asynchronous order. `code` None: it was carried out."""

    request_id: str
    reference: str | None
    code: int | None


def read_order(body: bytes) -> Order | None:
    """What `POST /orders` and `/orders/topups` answer."""
    found = _read(_Envelope, body)
    return found.data if found else None


def read_orders(body: bytes) -> list[Order] | None:
    """What `GET /orders` answers."""
    found = _read(_List, body)
    return found.data if found else None


def read_accepted(body: bytes) -> str | None:
    """The request id of an asynchronous order."""
    found = _read(_AcceptedEnvelope, body)
    return found.data.request_id if found else None


def read_token(body: bytes) -> tuple[str, float] | None:
    """A token and for how many seconds it is good."""
    found = _read(_TokenEnvelope, body)
    return (found.data.access_token, found.data.expires_in) if found else None


def read_refund(body: bytes) -> str | None:
    """The number of a refund request."""
    found = _read(_RefundEnvelope, body)
    return str(found.data.refund_id) if found else None


def read_usage(body: bytes, observed_at: datetime) -> UsageAnswer | None:
    """Usage in bytes. The API gives MB of 1024 * 1024 bytes, and no time: `observed_at` is when it was first asked."""
    found = _read(_UsageEnvelope, body)
    if found is None:
        return None
    fields = found.data
    known = fields.status != "UNKNOWN" and not fields.is_unlimited
    total = round(fields.total * _MEBIBYTE) if known and fields.total is not None else None
    used = None
    if total is not None and fields.remaining is not None:
        used = max(0, total - round(fields.remaining * _MEBIBYTE))
    usage = Usage(used_bytes=used, total_bytes=total, source=SOURCE, observed_at=observed_at)
    state = _INSTALLED.get(fields.status, "unknown")
    install = (
        InstallStatus() if state == "unknown" else InstallStatus(state=state, source=SOURCE, observed_at=observed_at)
    )
    report = UsageReport(usage, ends_at=_moment(fields.expired_at), ended=fields.status in _OVER)
    return UsageAnswer(fields.status, install, report)


def read_notice(value: Any) -> Notice | None:
    """A webhook's body: the order in `data`, or the order itself with a `request_id`; both are survived."""
    if not isinstance(value, dict):
        return None
    order = value["data"] if isinstance(value.get("data"), dict) else value
    request_id, reference = value.get("request_id") or order.get("request_id"), order.get("description")
    if not isinstance(request_id, str) or not 0 < len(request_id) <= _MOST_WORDS:
        return None
    code = value.get("code") if "reason" in value else None
    if code is not None and (isinstance(code, bool) or not str(code).isdecimal()):
        return None
    return Notice(
        request_id,
        reference if isinstance(reference, str) and len(reference) <= _MOST_WORDS else None,
        None if code is None else int(code),
    )


def is_signed(body: bytes, signature: str | None, secret: str) -> bool:
    """HMAC-SHA512 of the raw body, in constant time."""
    expected = hmac.new(secret.encode(), body, hashlib.sha512).hexdigest()
    return hmac.compare_digest(expected.encode(), (signature or "").strip().lower().encode())


def ours(orders: Sequence[Order], reference: str, kind: Kind) -> Order | None:
    """Our own order of a list: the search finds parts of a description too. The oldest, should there be two."""
    exact = [order for order in orders if order.description == reference and order.type == kind]
    return min(exact, key=lambda order: order.id, default=None)


def refusal(http_status: int, body: bytes) -> Refused | NotNow | Unknown:
    """What an answer other than success means for an order."""
    problem = _read(_Problem, body)
    if http_status == HTTPStatus.TOO_MANY_REQUESTS:
        return NotNow("the reseller is asked too often", retry_after=60.0)
    if http_status == HTTPStatus.UNPROCESSABLE_ENTITY and problem is not None:
        return of_code(problem.code, problem.reason)
    if http_status == HTTPStatus.UNPROCESSABLE_ENTITY:
        return Refused("The reseller does not understand this order.")
    if HTTPStatus.MULTIPLE_CHOICES <= http_status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return NotNow(f"HTTP {http_status}")
    return Unknown(f"HTTP {http_status}")


def of_code(code: int, reason: str = "") -> Refused | NotNow | Unknown:
    """What a code of HTTP 422 means. 53 (unexpected error) does not say that nothing happened."""
    statuses = (OperatorStatus(subject_code=SOURCE, reason_code=str(code), message=reason[:_MOST_WORDS]),)
    if code in _FINAL:
        return Refused(_FINAL[code], statuses, stock_out=code == STOCK)
    if code in _LATER:
        return NotNow(_LATER[code], statuses)
    return Unknown("the reseller met an error of its own", statuses)


def _moment(text: str | None) -> datetime | None:
    """`2026-05-01 12:00:00` without a zone is UTC."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _read(model: type[M], body: bytes) -> M | None:
    try:
        return model.model_validate_json(body)
    except ValidationError:
        return None
