"""Fiscal receipts as Webkassa's API v4 writes them (docs/wire/webkassa.md). Amounts in minor units (tiyn)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import IntEnum
from typing import Any, Literal

from shared.values.count import LARGEST_INT, count
from shared.values.money import to_major, to_minor
from shared.values.opaque import opaque, url

ReceiptKind = Literal["sale", "sale_return"]

CURRENCY = "KZT"
_OPERATIONS: Mapping[ReceiptKind, int] = {"sale": 2, "sale_return": 3}
_CARD, _PIECE, _ROUND_NOTHING = 1, 796, 2
_NO_TAX, VAT = 0, 100
#: PositionType of a service. Webkassa's public pages do not list its values, so a register's settings may name another.
SERVICE = 2
_WIRE_TIME, _BASIS_TIME = "%d.%m.%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S"
_LONGEST_TEXT = 64


class Refusal(IntEnum):
    """Webkassa's error codes."""

    CREDENTIALS = 1
    SESSION_EXPIRED = 2
    UNKNOWN_REGISTER = 6
    VALIDATION = 9
    SHIFT_TOO_LONG = 11
    SHIFT_CLOSED = 12
    NO_SHIFT = 13
    DUPLICATE = 14
    OFFLINE_TOO_LONG = 18
    UNAVAILABLE = 505


@dataclass(slots=True, frozen=True)
class Tax:
    """What tax the price contains: none, or VAT of `percent`."""

    percent: Decimal | None = None

    def of(self, amount: int) -> int:
        """The tax contained in an amount, rounded half up."""
        if self.percent is None:
            return 0
        return int((amount * self.percent / (100 + self.percent)).to_integral_value(ROUND_HALF_UP))


@dataclass(slots=True, frozen=True)
class Issued:
    """A receipt that exists. `fiscal_time` is the register's own clock, YYYY-MM-DD HH:MM:SS.

    `registration_number` is "" where the answer does not name the register's.
    """

    check_number: str
    registration_number: str
    fiscal_time: str
    #: "" where the register gave none: it is offline.
    ticket_url: str
    #: None where the answer does not say.
    total: int | None
    offline: bool = False
    external_number: str = ""


@dataclass(slots=True, frozen=True)
class Wanted:
    """A receipt that is to be: `number` is the key of the intended effect, at most 50 characters."""

    kind: ReceiptKind
    number: str
    order_number: str
    title: str
    amount: int
    tax: Tax
    #: Of a return: the sale that it takes back.
    basis: Issued | None = None
    #: What kind of thing is sold, in Webkassa's numbers.
    position_type: int = SERVICE
    email: str = ""
    phone: str = ""


def check_body(wanted: Wanted) -> dict[str, Any]:
    """The body of `check`, but for token and register. One line: the plan as it was sold, paid by card (PO 4.2)."""
    total = to_major(wanted.amount)
    percent = wanted.tax.percent
    body: dict[str, Any] = {
        "OperationType": _OPERATIONS[wanted.kind],
        "Positions": [
            {
                "Count": 1,
                "Price": total,
                "TaxPercent": None if percent is None else _number(percent),
                "Tax": to_major(wanted.tax.of(wanted.amount)),
                "TaxType": _NO_TAX if percent is None else VAT,
                "PositionName": wanted.title,
                "PositionCode": "1",
                "Discount": 0,
                "Markup": 0,
                "SectionCode": "1",
                "UnitCode": _PIECE,
                "PositionType": wanted.position_type,
            }
        ],
        "Payments": [{"Sum": total, "PaymentType": _CARD}],
        "Change": 0,
        "RoundType": _ROUND_NOTHING,
        "ExternalCheckNumber": wanted.number,
        "ExternalOrderNumber": wanted.order_number,
    }
    if wanted.email:
        body["CustomerEmail"] = wanted.email
    if wanted.phone:
        body["CustomerPhone"] = wanted.phone
    if wanted.basis is not None:
        body["returnBasisDetails"] = {
            "dateTime": wanted.basis.fiscal_time,
            "total": to_major(wanted.basis.total or 0),
            "checkNumber": wanted.basis.check_number,
            "registrationNumber": wanted.basis.registration_number,
            "isOffline": wanted.basis.offline,
        }
    return body


def read_issued(data: object) -> Issued | None:
    """`Data` of a receipt, with the register as an object or flat, or not named at all; None when it is no receipt.

    A fiscal sign with its time is a receipt, whatever else the answer lacks: a register without connection gives no
    link, and some answers name neither total nor register.
    """
    if not isinstance(data, Mapping):
        return None
    register = data.get("Cashbox")
    nested = register.get("RegistrationNumber") if isinstance(register, Mapping) else None
    check_number = _text(data.get("CheckNumber"))
    moment = _moment(data.get("DateTime"))
    if not (check_number and moment):
        return None
    return Issued(
        check_number=check_number,
        registration_number=_text(nested) or _text(data.get("CashboxRegistrationNumber")),
        fiscal_time=moment,
        ticket_url=url(data.get("TicketUrl")) or "",
        total=to_minor(data.get("Total")),
        offline=data.get("OfflineMode") is True,
        external_number=_text(data.get("ExternalCheckNumber")),
    )


def listed(data: object) -> Sequence[object]:
    """The receipts in an answer of Check/History: a list, or an object that holds one ([?]: both are read)."""
    if isinstance(data, Mapping):
        data = next((value for value in data.values() if isinstance(value, list)), None)
    return data if isinstance(data, list) else ()


def refusals(body: Mapping[str, Any]) -> list[int]:
    """The codes of an envelope's Errors; -1 for one that cannot be read."""
    errors = body.get("Errors")
    if not isinstance(errors, list):
        return []
    return [_code(error.get("Code")) if isinstance(error, Mapping) else -1 for error in errors]


def _number(percent: Decimal) -> int | float:
    return int(percent) if percent == percent.to_integral_value() else float(percent)


def _moment(value: object) -> str:
    """The register's time as a return must repeat it."""
    try:
        return datetime.strptime(str(value).strip(), _WIRE_TIME).strftime(_BASIS_TIME)  # noqa: DTZ007 - its own clock
    except ValueError:
        return ""


def _text(value: object) -> str:
    return opaque(value, _LONGEST_TEXT) or ""


def _code(value: object) -> int:
    code = count(value, LARGEST_INT)
    return -1 if code is None else code
