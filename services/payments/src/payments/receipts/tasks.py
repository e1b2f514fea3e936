"""The task `receipt:<storefront>` issues fiscal receipts, one after the other for each cash register.

The way of a receipt: the transaction that publishes OrderPaid or RefundSettled stores the receipt and schedules the
task (`handlers.ReceiptIntents`). No payment and no delivery waits for it. The task waits for the sale of a return and
for the register's turn, then calls Webkassa. ExternalCheckNumber is the key of a receipt and is stored before the
first call: Webkassa issues one receipt for it, however often it is asked. After a lost answer the task searches the
register's history before it repeats the call. Then it publishes ReceiptIssued.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypeAlias
from uuid import UUID

from payments.clients.models import Issued, Wanted
from payments.clients.webkassa.http import RegisterRefused, Webkassa
from payments.clients.webkassa.receipts import ErrorCode, read_issued
from payments.metrics import ReceiptMetrics
from payments.receipts import store
from payments.receipts.models import CURRENCY, PendingReceipt, ReceiptIssue, kind_of
from payments.receipts.turns import Turns
from payments.settings import CashRegister
from shared.database import Database, Tx
from shared.outcomes import Done, NeedsPerson, NotDue, NotSent, Outcome, Unknown
from shared.task_payload import NoPayload
from shared.tasks import Task, TaskResult

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 60.0
#: Our settings or the register's are wrong: frequent attempts are useless.
_SETTINGS_PAUSE = timedelta(seconds=60)
_SALE_PAUSE = timedelta(seconds=1)
_WRONG_SETTINGS = frozenset({ErrorCode.CREDENTIALS, ErrorCode.SESSION_EXPIRED, ErrorCode.UNKNOWN_REGISTER})
_SHIFT_CLOSED = frozenset({ErrorCode.SHIFT_CLOSED, ErrorCode.NO_SHIFT})
#: A receipt that an earlier call issued; Done(None): there is none.
_Search: TypeAlias = Done[Issued | None] | RegisterRefused | NotSent | NeedsPerson


class IssueReceipts:
    """Issues the receipts of one storefront. The key is the receipt's id. One at a time, across all instances."""

    concurrency = 1
    payload = NoPayload

    def __init__(
        self,
        storefront: str,
        register: CashRegister,
        webkassa: Webkassa,
        database: Database,
        turns: Turns,
        metrics: ReceiptMetrics,
    ) -> None:
        self.kind = kind_of(storefront)
        self._storefront = storefront
        self._register = register
        self._webkassa = webkassa
        self._database = database
        self._turns = turns
        self._metrics = metrics
        self._paused_until = 0.0
        self._pause = _FIRST_PAUSE

    async def perform(self, task: Task[NoPayload]) -> Outcome[ReceiptIssue]:
        """Issue the receipt, or find the one that an earlier call issued."""
        if (left := self._paused_until - time.monotonic()) > 0:
            return NotDue(timedelta(seconds=left), "the fiscal service is unavailable")
        receipt_id, register = UUID(task.key), self._register
        async with self._database.reading() as tx:
            pending = await store.read(tx, receipt_id, register.tax, contact=register.send_contact)
        self._metrics.queue(self._storefront, pending.waiting, pending.oldest)
        if pending.issued:
            return Done(ReceiptIssue(None))
        wanted = _ready(pending, register)
        if not isinstance(wanted, Wanted):
            return wanted
        # The register that was asked first stays responsible: it may have issued the receipt.
        cashbox = pending.requested_at or register.cashbox

        async def intend(tx: Tx) -> None:
            await store.intend_request(tx, receipt_id, cashbox)

        async with self._turns.turn(cashbox, intend) as busy:
            if busy is not None:
                return busy
            maybe_issued = pending.requested_at is not None and task.uncertain
            outcome = await self._find_or_issue(task, wanted, cashbox, search_first=maybe_issued)
        if isinstance(outcome, Done):
            self._pause = _FIRST_PAUSE
        return outcome

    async def record(self, tx: Tx, results: Sequence[TaskResult[ReceiptIssue, NoPayload]]) -> None:
        """Store the receipts and publish ReceiptIssued."""
        traces = {UUID(result.task.key): result.task.continues for result in results}
        issued: dict[UUID, Issued] = {}
        for result in results:
            if result.result.issued is not None:
                issued[UUID(result.task.key)] = result.result.issued
                outcome = "adopted" if result.result.adopted else "issued"
                self._metrics.outcomes.labels(self._storefront, outcome).inc()
        if issued:
            await store.record_issued(tx, issued, traces, self._metrics)

    async def _find_or_issue(
        self, task: Task[NoPayload], wanted: Wanted, cashbox: str, *, search_first: bool
    ) -> Outcome[ReceiptIssue]:
        """Search the history where an earlier call may have arrived; otherwise issue the receipt."""
        if search_first:
            earlier = await self._search(task, wanted, cashbox)
            if not isinstance(earlier, Done):
                return self._after_failure(earlier)
            if earlier.value is not None:
                return Done(ReceiptIssue(earlier.value, adopted=True))
        outcome = await self._webkassa.issue(self._register, cashbox, wanted, task.continues)
        if isinstance(outcome, RegisterRefused) and outcome.error in (ErrorCode.SHIFT_TOO_LONG, *_SHIFT_CLOSED):
            # Only the shift prevented it. A shift of more than 24 hours has to be closed; the call opens a new one.
            if outcome.error == ErrorCode.SHIFT_TOO_LONG:
                closed = await self._webkassa.close_shift(self._register, cashbox, task.continues)
                if not isinstance(closed, Done):
                    return self._after_failure(closed)
            outcome = await self._webkassa.issue(self._register, cashbox, wanted, task.continues)
        if isinstance(outcome, Done):
            return Done(ReceiptIssue(outcome.value))
        if isinstance(outcome, RegisterRefused) and outcome.error == ErrorCode.DUPLICATE:
            return await self._adopt(task, wanted, cashbox, outcome)
        return self._after_failure(outcome)

    async def _adopt(
        self, task: Task[NoPayload], wanted: Wanted, cashbox: str, refused: RegisterRefused
    ) -> Outcome[ReceiptIssue]:
        """Take over the receipt of an earlier call (error 14). It is in the answer's `Data`, or in the history."""
        original = read_issued(refused.data)
        earlier: _Search
        if original is not None and original.external_number in ("", wanted.number):
            earlier = _checked(original, wanted)
        else:
            earlier = await self._search(task, wanted, cashbox)
        if not isinstance(earlier, Done):
            return self._after_failure(earlier)
        if earlier.value is None:
            return NeedsPerson("the register has this receipt, but its history does not show it")
        return Done(ReceiptIssue(earlier.value, adopted=True))

    async def _search(self, task: Task[NoPayload], wanted: Wanted, cashbox: str) -> _Search:
        """Search the register's history for the receipt; Done(None): it was never issued."""
        earlier = await self._webkassa.find(self._register, cashbox, wanted.number, task.continues)
        if isinstance(earlier, Unknown):
            return NeedsPerson(earlier.reason)
        if isinstance(earlier, Done) and earlier.value is not None:
            return _checked(earlier.value, wanted)
        return earlier

    def _after_failure(
        self, outcome: RegisterRefused | NotSent | Unknown | NeedsPerson
    ) -> NotSent | Unknown | NeedsPerson:
        """Pause the whole queue, unless only this receipt is wrong."""
        match outcome:
            case NeedsPerson():
                return outcome
            case RegisterRefused(reason=reason, error=ErrorCode.VALIDATION):
                return NeedsPerson(f"{reason}: the register does not accept the receipt's content")
            case RegisterRefused(reason=reason, error=error):
                pause = self._pause_queue()
                return NotSent(reason, _SETTINGS_PAUSE if error in _WRONG_SETTINGS else pause)
            case NotSent(reason, retry_after):
                return NotSent(reason, retry_after or self._pause_queue())
            case Unknown(reason):
                return Unknown(reason, self._pause_queue())

    def _pause_queue(self) -> timedelta:
        """Begin a pause of this storefront's queue. It grows with each failure, up to a minute."""
        pause = self._pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        self._pause = min(_LONGEST_PAUSE, self._pause * 2)
        self._paused_until = time.monotonic() + pause
        return timedelta(seconds=pause)


def _checked(issued: Issued, wanted: Wanted) -> Done[Issued | None] | NeedsPerson:
    """Accept a receipt that an earlier call issued, unless its total is another one."""
    if issued.total not in (None, wanted.amount):
        return NeedsPerson("the register has a receipt of this number with another total")
    return Done(issued)


def _ready(pending: PendingReceipt, register: CashRegister) -> Wanted | NotDue | NeedsPerson:
    """The receipt with what the settings add. NeedsPerson: no register can issue it, or a number is stored nowhere."""
    if pending.currency != CURRENCY:
        return NeedsPerson(f"a cash register in Kazakhstan takes {CURRENCY} only: issue this receipt by hand")
    if pending.waits_for_sale:
        return NotDue(_SALE_PAUSE, "the receipt of the sale is not there yet")
    wanted = replace(pending.wanted, position_type=register.position_type)
    if wanted.basis is None or wanted.basis.registration_number:
        return wanted
    if register.registration_number is None:
        return NeedsPerson(
            "a return names the registration number of its register, and no answer had it: set registration_number"
        )
    return replace(wanted, basis=replace(wanted.basis, registration_number=register.registration_number))
