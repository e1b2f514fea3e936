"""The wire format of receipts in Webkassa's API v4 (docs/wire/webkassa.md). Amounts in minor units (tiyn)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from typing import Any

from payments.clients.models import Issued, ReceiptKind, Wanted
from shared.values.count import LARGEST_INT, count
from shared.values.money import to_major, to_minor
from shared.values.opaque import opaque, url

_OPERATIONS: Mapping[ReceiptKind, int] = {"sale": 2, "sale_return": 3}
_CARD, _PIECE, _ROUND_NOTHING = 1, 796, 2
_NO_TAX, _VAT = 0, 100
_WIRE_TIME, _BASIS_TIME = "%d.%m.%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S"
_LONGEST_TEXT = 64


class ErrorCode(IntEnum):
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


def check_body(wanted: Wanted) -> dict[str, Any]:
    """The body of `check` without token and register. One line: the plan as it was sold, paid by card (PO 4.2)."""
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
                "TaxType": _NO_TAX if percent is None else _VAT,
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
    """Read `Data` of a receipt. The register may be an object, flat, or absent. None when it is not a receipt.

    A check number with its time makes a receipt, whatever else is absent: a register without connection gives no link,
    and some answers contain neither total nor register.
    """
    if not isinstance(data, Mapping):
        return None
    register = data.get("Cashbox")
    nested = register.get("RegistrationNumber") if isinstance(register, Mapping) else None
    check_number = _text(data.get("CheckNumber"))
    fiscal_time = _fiscal_time(data.get("DateTime"))
    if not (check_number and fiscal_time):
        return None
    return Issued(
        check_number=check_number,
        registration_number=_text(nested) or _text(data.get("CashboxRegistrationNumber")),
        fiscal_time=fiscal_time,
        ticket_url=url(data.get("TicketUrl")) or "",
        total=to_minor(data.get("Total")),
        offline=data.get("OfflineMode") is True,
        external_number=_text(data.get("ExternalCheckNumber")),
    )


def receipts_in(data: object) -> Sequence[object]:
    """The receipts in an answer of Check/History: a list, or an object that contains one ([?]: both are read)."""
    if isinstance(data, Mapping):
        data = next((value for value in data.values() if isinstance(value, list)), None)
    return data if isinstance(data, list) else ()


def error_codes(body: Mapping[str, Any]) -> list[int]:
    """The codes in an envelope's Errors; -1 for a code that cannot be read."""
    errors = body.get("Errors")
    if not isinstance(errors, list):
        return []
    return [_code(error.get("Code")) if isinstance(error, Mapping) else -1 for error in errors]


def _number(percent: Decimal) -> int | float:
    return int(percent) if percent == percent.to_integral_value() else float(percent)


def _fiscal_time(value: object) -> str:
    """The register's time in the form that a return must repeat."""
    try:
        return datetime.strptime(str(value).strip(), _WIRE_TIME).strftime(_BASIS_TIME)  # noqa: DTZ007 - its own clock
    except ValueError:
        return ""


def _text(value: object) -> str:
    return opaque(value, _LONGEST_TEXT) or ""


def _code(value: object) -> int:
    code = count(value, LARGEST_INT)
    return -1 if code is None else code
