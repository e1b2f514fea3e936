"""Steps of the recovery: invoice ids that are not used again, and what only the bank knows of the lost time."""

from collections.abc import Sequence

from payments.attempts import CHECK, CheckPayload
from payments.bank_context import BankContext
from payments.clients.models import StatusAnswer
from payments.recovery import store
from payments.recovery.handlers import OwnEvents
from payments.recovery.store import KnownAttempt
from shared.contracts import OrderPlaced, PaymentFailed
from shared.outcomes import NotSent
from shared.recovery.models import RecoveredRecords, RecoveryRefusedError

#: Invoice ids that stay unused, besides one for each order and each failed attempt of the lost time.
_MARGIN = 100
_FOUND = "100"
_BY_HAND = "persons paid a part of this refund in the lost time: compare with the case, and pay the rest by hand"


class BankQuestions:
    """Asks the bank about single invoices, one after the other."""

    def __init__(self, uses: BankContext, own_events: OwnEvents) -> None:
        self._uses = uses
        self._own_events = own_events
        self._first = self._last = 0

    async def skip_invoice_ids(self, records: RecoveredRecords) -> Sequence[str]:
        """The bank still has payments under the invoice ids of the lost time: none is handed out again."""
        lost = records.lost.get(OrderPlaced.topic, 0) + records.lost.get(PaymentFailed.topic, 0)
        async with self._uses.database.transaction("recovery") as tx:
            self._first, self._last = await store.advance_invoice_ids(tx, lost + _MARGIN)
        return [f"invoice ids go on behind {self._last}"]

    async def ask(self, records: RecoveredRecords) -> Sequence[str]:
        """Ask for the transactions of known captures, and for payments of which no event speaks."""
        return [
            await self._name_captures(),
            await self._find_payments(records),
            await self._park_hand_payments(),
        ]

    async def _name_captures(self) -> str:
        async with self._uses.database.reading() as tx:
            captures = await store.unnamed_captures(tx)
        unknown = []
        for row in captures:
            answer = await self._status(row.invoice_id, row.price_minor, row.currency)
            if answer.transaction_id is None:
                unknown.append(str(row.invoice_id))
                continue
            async with self._uses.database.transaction("recovery") as tx:
                await store.name_capture(tx, row.invoice_id, answer.transaction_id)
        summary = f"{len(captures) - len(unknown)} captures compared with the bank"
        return f"{summary}; unknown there, ask the bank: invoices {', '.join(unknown)}" if unknown else summary

    async def _find_payments(self, records: RecoveredRecords) -> str:
        """An attempt whose event was never published: the bank's payment names the order."""
        async with self._uses.database.reading() as tx:
            invoices = await store.unknown_invoices(tx, records.since, self._first, self._last)
        found, without_order = 0, []
        for invoice_id in invoices:
            answer = await self._status(invoice_id, 0, "")
            if answer.result != _FOUND:
                continue
            async with self._uses.database.transaction("recovery") as tx:
                order = await store.order_of_number(tx, answer.order_number or "")
                if order is None:
                    without_order.append(str(invoice_id))
                    continue
                await store.keep_attempts(tx, [KnownAttempt(invoice_id, order.order_id, "open", tx.now)])
                payload = CheckPayload(
                    order_id=order.order_id,
                    amount=order.price_minor,
                    currency=order.currency,
                    order_number=order.order_number,
                )
                tx.schedule(CHECK, str(invoice_id), payload, trace=order.trace)
            found += 1
        summary = f"{len(invoices)} invoice ids asked for at the bank, {found} payments found"
        return (
            f"{summary}; of no order that is known: invoices {', '.join(without_order)}" if without_order else summary
        )

    async def _park_hand_payments(self) -> str:
        async with self._uses.database.transaction("recovery") as tx:
            parked = await store.park_refunds(tx, self._own_events.paid_by_hand, _BY_HAND)
        return f"refunds that wait for a person: {', '.join(parked) or 'none'}"

    async def _status(self, invoice_id: int, amount: int, currency: str) -> StatusAnswer:
        outcome = await self._uses.bank.status(self._uses.expected(invoice_id, amount, currency), None)
        if isinstance(outcome, NotSent):
            raise RecoveryRefusedError(f"the bank does not answer ({outcome.reason}): run it again")
        if outcome.value.says_nothing:
            raise RecoveryRefusedError(f"the bank refuses the question (result {outcome.value.result}): run it again")
        return outcome.value
