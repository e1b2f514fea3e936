"""Issues fiscal receipts, one after the other for each cash register, without any payment or delivery waiting for it.

The key of a receipt is its ExternalCheckNumber, stored when the receipt is first intended: Webkassa makes one receipt
of it, however often it is asked. Where a reply was lost its history is asked before anything else (rule 5).
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from payments.clients.webkassa.http import RegisterAwayError, RegisterRefusedError, RegisterUnclearError, Webkassa
from payments.clients.webkassa.receipts import CURRENCY, Issued, Refusal, Wanted, read_issued
from payments.receipts import store as receipts
from payments.receipts.metrics import FiscalMetrics
from payments.receipts.settings import CashRegister
from payments.receipts.turns import Turns
from shared.database import Database, Tx
from shared.tasks import Later, NeedsPersonError, NotNow, Task, TaskResult, Unknown

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 60.0
#: Our settings are wrong, or the register's: nothing to be gained from asking often.
_SETTINGS_PAUSE = timedelta(seconds=60)
_SALE_PAUSE = timedelta(seconds=1)
_SETTINGS = frozenset({Refusal.CREDENTIALS, Refusal.SESSION_EXPIRED, Refusal.UNKNOWN_REGISTER})
_SHIFT = frozenset({Refusal.SHIFT_CLOSED, Refusal.NO_SHIFT})


@dataclass(slots=True, frozen=True)
class Receipted:
    """A receipt that exists; `adopted` when the answer of the call that made it was not seen. None: known before."""

    issued: Issued | None
    adopted: bool = False


class IssueReceipts:
    """Job `receipt:<storefront>`: the key is the receipt's id. One at a time, in this process and in all others."""

    concurrency = 1

    def __init__(
        self,
        storefront: str,
        register: CashRegister,
        webkassa: Webkassa,
        database: Database,
        turns: Turns,
        metrics: FiscalMetrics,
    ) -> None:
        self.kind = receipts.kind_of(storefront)
        self._storefront = storefront
        self._register = register
        self._webkassa = webkassa
        self._database = database
        self._turns = turns
        self._metrics = metrics
        self._away_until = 0.0
        self._pause = _FIRST_PAUSE

    async def perform(self, task: Task) -> Receipted:
        """Have the receipt issued, or find the one that was."""
        if (left := self._away_until - time.monotonic()) > 0:
            raise Later(timedelta(seconds=left), "the fiscal service is away")
        receipt_id, register = UUID(task.key), self._register
        async with self._database.reading() as tx:
            intent = await receipts.read(tx, receipt_id, register.tax, contact=register.send_contact)
        self._metrics.queue(self._storefront, intent.waiting, intent.oldest)
        if intent.issued:
            return Receipted(None)
        if intent.currency != CURRENCY:
            raise NeedsPersonError(f"a cash register in Kazakhstan takes {CURRENCY} only: issue this receipt by hand")
        if intent.waits:
            raise Later(_SALE_PAUSE, "the receipt of the sale is not there yet")
        wanted = _complete(intent.wanted, register)

        async def intend(tx: Tx) -> None:
            # A register that was asked before keeps the receipt, until it says that it has none.
            await receipts.asking(tx, receipt_id, intent.asked or register.cashbox)

        cashbox = intent.asked or register.cashbox
        async with self._turns.turn(cashbox, intend):
            done = await self._perform(task, wanted, cashbox, asked=intent.asked is not None)
        self._pause = _FIRST_PAUSE
        return done

    async def record(self, tx: Tx, done: Sequence[TaskResult[Receipted]]) -> None:
        """Keep the receipts and publish ReceiptIssued."""
        traces = {UUID(one.task.key): one.task.continues for one in done}
        issued = {UUID(one.task.key): one.result.issued for one in done if one.result.issued is not None}
        if issued:
            await receipts.record_issued(tx, issued, traces, self._metrics)
        for one in done:
            if one.result.issued is not None:
                outcome = "adopted" if one.result.adopted else "issued"
                self._metrics.outcomes.labels(self._storefront, outcome).inc()

    async def _perform(self, task: Task, wanted: Wanted, cashbox: str, *, asked: bool) -> Receipted:
        try:
            if asked and task.uncertain and (found := await self._find(task, wanted, cashbox)) is not None:
                return Receipted(found, adopted=True)
            return await self._issue(task, wanted, cashbox)
        except RegisterAwayError as error:
            raise NotNow(str(error), delay=error.delay or self._away()) from None
        except RegisterUnclearError as error:
            raise Unknown(str(error), delay=self._away()) from None
        except RegisterRefusedError as error:
            raise self._refused(error) from None

    async def _issue(self, task: Task, wanted: Wanted, cashbox: str) -> Receipted:
        """`check`, once more where only the shift stood in the way."""
        try:
            return Receipted(await self._webkassa.issue(self._register, cashbox, wanted, task.continues))
        except RegisterRefusedError as error:
            if error.code == Refusal.DUPLICATE:
                return await self._adopt(task, wanted, cashbox, error)
            if error.code == Refusal.SHIFT_TOO_LONG:
                await self._webkassa.close_shift(self._register, cashbox, task.continues)
            elif error.code not in _SHIFT:
                raise
        try:
            return Receipted(await self._webkassa.issue(self._register, cashbox, wanted, task.continues))
        except RegisterRefusedError as error:
            if error.code == Refusal.DUPLICATE:
                return await self._adopt(task, wanted, cashbox, error)
            raise

    async def _adopt(self, task: Task, wanted: Wanted, cashbox: str, error: RegisterRefusedError) -> Receipted:
        """Error 14: an earlier call of ours made it. The original is in Data, or in the history."""
        original = read_issued(error.data)
        if original is None or original.external_number not in ("", wanted.number):
            original = await self._find(task, wanted, cashbox)
        if original is None:
            raise NeedsPersonError("the register has this receipt, but its history does not show it")
        return Receipted(self._ours(original, wanted), adopted=True)

    async def _find(self, task: Task, wanted: Wanted, cashbox: str) -> Issued | None:
        try:
            found = await self._webkassa.find(self._register, cashbox, wanted.number, task.continues)
        except RegisterUnclearError as error:
            raise NeedsPersonError(str(error)) from None
        return None if found is None else self._ours(found, wanted)

    def _ours(self, found: Issued, wanted: Wanted) -> Issued:
        if found.total not in (None, wanted.amount):
            raise NeedsPersonError("the register has a receipt of this number with another total")
        return found

    def _refused(self, error: RegisterRefusedError) -> Exception:
        if error.code == Refusal.VALIDATION:
            return NeedsPersonError(f"{error}: the receipt does not please it")
        delay = self._away()
        return NotNow(str(error), delay=_SETTINGS_PAUSE if error.code in _SETTINGS else delay)

    def _away(self) -> timedelta:
        """Nobody of this storefront's queue asks before a pause that grows with each failure, up to a minute."""
        pause = self._pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        self._pause = min(_LONGEST_PAUSE, self._pause * 2)
        self._away_until = time.monotonic() + pause
        return timedelta(seconds=pause)


def _complete(wanted: Wanted, register: CashRegister) -> Wanted:
    """With what the settings say. Raises NeedsPersonError for a return whose register nobody has named yet."""
    wanted = replace(wanted, position_type=register.position_type)
    if wanted.basis is None or wanted.basis.registration_number:
        return wanted
    if register.registration_number is None:
        raise NeedsPersonError(
            "a return names the registration number of its register, and no answer had it: set registration_number"
        )
    return replace(wanted, basis=replace(wanted.basis, registration_number=register.registration_number))
