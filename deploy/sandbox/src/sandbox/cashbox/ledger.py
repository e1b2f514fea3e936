"""The cash register's books: receipts, shifts, and what callers must not do. All amounts in minor units."""

from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import Field

from sandbox.clock import now
from sandbox.ledger import CamelModel, Journal, Ledger

SALE, SALE_RETURN = 2, 3
LONGEST_SHIFT = timedelta(hours=24)


class Position(CamelModel):
    """A line of a receipt."""

    name: str
    count: float
    price: int
    total: int
    tax: int
    tax_percent: float | None
    tax_type: int
    #: What kind of thing it is; older callers do not say.
    position_type: int | None = None


class Check(CamelModel):
    """A receipt. `check_number` is the fiscal sign; `id` names its public page."""

    id: str
    cashbox: str
    registration_number: str
    check_number: str
    external_check_number: str
    external_order_number: str = ""
    operation_type: int
    total: int
    payment_type: int
    positions: list[Position]
    shift_number: int
    #: Of a return: the sale's fiscal sign.
    basis_check_number: str | None = None
    ticket_url: str
    customer_email: str = ""
    customer_phone: str = ""
    issued_at: str


class Shift(CamelModel):
    """A shift of one register; it opens with its first receipt and ends with a Z-report."""

    id: str
    cashbox: str
    number: int
    opened_at: str
    closed_at: str | None = None
    #: Set by control: how much older the shift is than it looks.
    aged_seconds: float = 0.0

    @property
    def too_long(self) -> bool:
        """Whether it has lasted more than a day."""
        began = datetime.fromisoformat(self.opened_at) - timedelta(seconds=self.aged_seconds)
        return datetime.now(UTC) - began > LONGEST_SHIFT


class Violation(CamelModel):
    """Something a caller must not do. `overlap`: two requests for one register at once."""

    id: str
    kind: Literal["overlap"]
    cashbox: str
    path: str
    at: str = Field(default_factory=now)


class CashboxLedger:
    """Receipts by id, by caller's number and by fiscal sign; the shifts; the violations."""

    def __init__(self, checks: Journal, shifts: Journal, violations: Journal) -> None:
        self.book: Ledger[Check] = Ledger(Check, checks)
        self.shifts: Ledger[Shift] = Ledger(Shift, shifts)
        self.violations: Ledger[Violation] = Ledger(Violation, violations)
        self._by_external: dict[tuple[str, str], Check] = {}
        self._by_sign: dict[str, Check] = {}
        self._open: dict[str, Shift] = {}

    def load(self) -> None:
        """Read what earlier runs wrote."""
        self.book.load("id")
        self.shifts.load("id")
        self.violations.load("id")
        for check in self.book:
            self._index(check)
        for shift in self.shifts:
            if shift.closed_at is None:
                self._open[shift.cashbox] = shift

    def record(self, check: Check) -> None:
        """Write a receipt; it never changes."""
        self.book.put(check.id, check)
        self._index(check)

    def by_external(self, cashbox: str, number: str) -> Check | None:
        """The receipt that a caller's own number has made."""
        return self._by_external.get((cashbox, number))

    def by_sign(self, check_number: str) -> Check | None:
        """The receipt of a fiscal sign."""
        return self._by_sign.get(check_number)

    def of(self, cashbox: str) -> list[Check]:
        """A register's receipts, newest first."""
        return [check for check in reversed(list(self.book)) if check.cashbox == cashbox]

    def returned(self, check_number: str) -> int:
        """How much of a sale was returned."""
        return sum(check.total for check in self.book if check.basis_check_number == check_number)

    def shift(self, cashbox: str) -> Shift | None:
        """The open shift."""
        return self._open.get(cashbox)

    def open_shift(self, cashbox: str) -> Shift:
        """Begin a shift."""
        number = 1 + sum(1 for shift in self.shifts if shift.cashbox == cashbox)
        shift = Shift(id=f"{cashbox}-{number}", cashbox=cashbox, number=number, opened_at=now())
        self.put_shift(shift)
        return shift

    def put_shift(self, shift: Shift) -> None:
        """Write a shift as it is now."""
        self.shifts.put(shift.id, shift)
        if shift.closed_at is None:
            self._open[shift.cashbox] = shift
        else:
            self._open.pop(shift.cashbox, None)

    def clear(self) -> None:
        """Close the books and open new ones."""
        self.book.clear()
        self.shifts.clear()
        self.violations.clear()
        self._by_external.clear()
        self._by_sign.clear()
        self._open.clear()

    def close(self) -> None:
        """Let go of the files."""
        for book in (self.book, self.shifts, self.violations):
            book.close()

    def _index(self, check: Check) -> None:
        self._by_external[(check.cashbox, check.external_check_number)] = check
        self._by_sign[check.check_number] = check
