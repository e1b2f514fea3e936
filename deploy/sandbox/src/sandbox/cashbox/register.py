"""What a register does with a receipt: its own rules, and the error codes of docs/wire/webkassa.md."""

import secrets
import uuid
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sandbox.cashbox.ledger import SALE, SALE_RETURN, CashboxLedger, Check, Position
from sandbox.cashbox.wire import local_time
from sandbox.clock import now
from sandbox.money import to_minor

LONGEST_NUMBER = 50
VAT = 100
_TAX_TYPES = frozenset({0, VAT})
_PAYMENT_TYPES = frozenset({0, 1, 4})
VALIDATION, SHIFT_TOO_LONG, NO_SHIFT, DUPLICATE = 9, 11, 12, 14


class RefusedError(Exception):
    """The register says no, with one of its codes."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request for a receipt, read and found to be in order."""

    external_number: str
    operation: int
    positions: list[Position]
    total: int
    payment_type: int
    basis: str | None


def issue(ledger: CashboxLedger, cashbox: str, registration: str, body: dict[str, Any], ticket_root: str) -> Check:
    """A new receipt. Raises RefusedError; 14 when the caller's number was used already."""
    number = str(body.get("ExternalCheckNumber") or "")
    if not 0 < len(number) <= LONGEST_NUMBER:
        raise RefusedError(VALIDATION, f"ExternalCheckNumber must have 1 to {LONGEST_NUMBER} characters")
    if ledger.by_external(cashbox, number) is not None:
        raise RefusedError(DUPLICATE, "A check with this ExternalCheckNumber exists already")
    wanted = _read(ledger, cashbox, number, body)
    shift = ledger.shift(cashbox) or ledger.open_shift(cashbox)
    if shift.too_long:
        raise RefusedError(SHIFT_TOO_LONG, "The shift has lasted more than 24 hours")
    identity = uuid.uuid4().hex
    check = Check(
        id=identity,
        cashbox=cashbox,
        registration_number=registration,
        check_number=str(10**11 + secrets.randbelow(9 * 10**11)),
        external_check_number=number,
        external_order_number=str(body.get("ExternalOrderNumber") or ""),
        operation_type=wanted.operation,
        total=wanted.total,
        payment_type=wanted.payment_type,
        positions=wanted.positions,
        shift_number=shift.number,
        basis_check_number=wanted.basis,
        ticket_url=f"{ticket_root}/{identity}",
        customer_email=str(body.get("CustomerEmail") or ""),
        customer_phone=str(body.get("CustomerPhone") or ""),
        issued_at=now(),
    )
    ledger.record(check)
    return check


def close_shift(ledger: CashboxLedger, cashbox: str) -> int:
    """The Z-report; returns the number of the shift that it ends. Raises RefusedError."""
    shift = ledger.shift(cashbox)
    if shift is None:
        raise RefusedError(NO_SHIFT, "The shift is closed")
    shift.closed_at = now()
    ledger.put_shift(shift)
    return shift.number


def _read(ledger: CashboxLedger, cashbox: str, number: str, body: dict[str, Any]) -> Wanted:
    operation = body.get("OperationType")
    if operation not in (SALE, SALE_RETURN):
        raise RefusedError(VALIDATION, "OperationType must be 2 (sale) or 3 (sale return)")
    listed = body.get("Positions")
    if not isinstance(listed, list) or not listed:
        raise RefusedError(VALIDATION, "Positions are missing")
    positions = [_position(one) for one in listed]
    total = sum(one.total for one in positions)
    payment_type = _payments(body, total)
    basis = _basis(ledger, cashbox, body.get("returnBasisDetails"), total) if operation == SALE_RETURN else None
    return Wanted(number, int(operation), positions, total, payment_type, basis)


def _position(given: object) -> Position:
    if not isinstance(given, dict):
        raise RefusedError(VALIDATION, "A position is not an object")
    price, tax = to_minor(given.get("Price")), to_minor(given.get("Tax"))
    discount, markup = to_minor(given.get("Discount", 0)), to_minor(given.get("Markup", 0))
    count = given.get("Count")
    if not isinstance(count, int | float) or isinstance(count, bool) or count <= 0 or not price:
        raise RefusedError(VALIDATION, "A position needs Count and Price")
    if tax is None or discount is None or markup is None:
        raise RefusedError(VALIDATION, "Tax, Discount and Markup are amounts of money")
    name = given.get("PositionName")
    if not isinstance(name, str) or not name.strip():
        raise RefusedError(VALIDATION, "PositionName is missing")
    total = int((Decimal(price) * Decimal(str(count))).to_integral_value(ROUND_HALF_UP)) - discount + markup
    percent, kind = given.get("TaxPercent"), given.get("TaxType")
    if kind not in _TAX_TYPES:
        raise RefusedError(VALIDATION, "TaxType must be 0 (none) or 100 (VAT)")
    if tax != _tax(total, percent, kind):
        raise RefusedError(VALIDATION, "Tax is not what TaxPercent makes of the price")
    sort = given.get("PositionType")
    if sort is not None and (not isinstance(sort, int) or isinstance(sort, bool)):
        raise RefusedError(VALIDATION, "PositionType must be a whole number")
    return Position(
        name=name,
        count=count,
        price=price,
        total=total,
        tax=tax,
        tax_percent=None if kind != VAT else float(str(percent)),
        tax_type=int(kind),
        position_type=sort,
    )


def _tax(total: int, percent: object, kind: int) -> int:
    """The tax that is contained in a price."""
    if kind != VAT:
        return 0
    if not isinstance(percent, int | float) or isinstance(percent, bool) or percent < 0:
        raise RefusedError(VALIDATION, "TaxPercent is missing")
    rate = Decimal(str(percent))
    return int((total * rate / (100 + rate)).to_integral_value(ROUND_HALF_UP))


def _payments(body: dict[str, Any], total: int) -> int:
    payments = body.get("Payments")
    if not isinstance(payments, list) or not payments or not all(isinstance(one, dict) for one in payments):
        raise RefusedError(VALIDATION, "Payments are missing")
    if any(one.get("PaymentType") not in _PAYMENT_TYPES for one in payments):
        raise RefusedError(VALIDATION, "PaymentType must be 0, 1 or 4")
    sums = [to_minor(one.get("Sum")) for one in payments]
    change = to_minor(body.get("Change", 0))
    if change is None or None in sums or sum(one or 0 for one in sums) - change != total:
        raise RefusedError(VALIDATION, "Payments do not add up to the positions")
    return int(payments[0]["PaymentType"])


def _basis(ledger: CashboxLedger, cashbox: str, given: object, total: int) -> str:
    """A return names its sale exactly, and all returns of a sale stay within it."""
    if not isinstance(given, dict):
        raise RefusedError(VALIDATION, "returnBasisDetails is missing")
    sale = ledger.by_sign(str(given.get("checkNumber") or ""))
    if sale is None or sale.operation_type != SALE or sale.cashbox != cashbox:
        raise RefusedError(VALIDATION, "returnBasisDetails names no sale of this cashbox")
    agreed = (
        ("dateTime", given.get("dateTime") == local_time(sale.issued_at, "%Y-%m-%d %H:%M:%S")),
        ("total", to_minor(given.get("total")) == sale.total),
        ("registrationNumber", str(given.get("registrationNumber")) == sale.registration_number),
        ("isOffline", given.get("isOffline") is False),
    )
    for name, agrees in agreed:
        if not agrees:
            raise RefusedError(VALIDATION, f"returnBasisDetails.{name} is not that of the sale")
    if ledger.returned(sale.check_number) + total > sale.total:
        raise RefusedError(VALIDATION, "More would be returned than was sold")
    return sale.check_number
