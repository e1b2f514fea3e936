"""Serial numbers of ICCIDs that were used in the lost time: none is used again, and what nobody was given is withdrawn.

The backup's sequence stands where it stood at its moment. Serials after it may be profiles that were published (their
orders have them by now), profiles whose event was never published, or nothing. Only the operators know which.
"""

from collections.abc import Sequence

from provisioning.operators import Operators, own_identity
from provisioning.operators.rules.identifiers import RangeExhaustedError, iccid, serial_of
from provisioning.recovery import store
from provisioning.withdrawal.models import STOCK_KEY, WithdrawalPayload
from shared.contracts import OrderPaid, ProfileGenerated
from shared.database import Database, Tx
from shared.ids import uuid_for
from shared.recovery.models import RecoveredRecords, RecoveryRefusedError

_NEXT = "SELECT nextval('iccid_serial')"
_ADVANCE = "SELECT count(nextval('iccid_serial')) FROM generate_series(1, CAST(:count AS int))"
#: Serials behind the last possible one that stay unused.
_MARGIN = 1000
#: Serials that orders, the stock and second attempts may have used, besides one for each order that was paid.
_BESIDES = 20
_LISTED = 20


class LostIdentities:
    """Steps of the recovery."""

    def __init__(self, operators: Operators, database: Database) -> None:
        self._operators = operators
        self._database = database

    async def withdraw(self, records: RecoveredRecords) -> Sequence[str]:
        """Move the sequence ahead, and have operators cancel the profiles of the lost time that nobody was given."""
        names = [name for name in self._operators.names if self._operators[name].traits.repeatable]
        async with self._database.transaction("recovery") as tx:
            first = int((await tx.execute(_NEXT)).scalar())
            try:
                issued = await self._issued(tx, names, first)
                unpublished = records.lost.get(OrderPaid.topic, 0) - records.lost.get(ProfileGenerated.topic, 0)
                last = max([first - 1, *issued.values()]) + max(0, unpublished) + _BESIDES
                withdrawn = sum(self._withdraw(tx, name, first, last, issued) for name in names)
            except RangeExhaustedError as error:
                raise RecoveryRefusedError(f"{error}: have the operator allot another range first") from error
            await tx.execute(_ADVANCE, count=last + _MARGIN - first)
        return [f"ICCIDs go on at serial {last + _MARGIN + 1}; {withdrawn} unpublished ones are being withdrawn"]

    async def list_unended(self, _records: RecoveredRecords) -> Sequence[str]:
        """Name orders without an outcome, in case an operator that chooses ICCIDs itself has made an eSIM for them."""
        async with self._database.reading() as tx:
            numbers = await store.unended_orders(tx, _LISTED)
        more = " and others" if len(numbers) == _LISTED else ""
        return [f"orders without an outcome: {', '.join(numbers) or 'none'}{more}"]

    async def _issued(self, tx: Tx, names: Sequence[str], first: int) -> dict[str, int]:
        """Serials from `first` on that orders have, by ICCID."""
        issued = {}
        for name in names:
            prefix = self._operators.settings[name].iccid_prefix
            for number in await store.issued_iccids(tx, prefix, iccid(prefix, first)):
                if (serial := serial_of(prefix, number)) is not None:
                    issued[number] = serial
        return issued

    def _withdraw(self, tx: Tx, name: str, first: int, last: int, issued: dict[str, int]) -> int:
        prefix, kind = self._operators.settings[name].iccid_prefix, self._operators.kind("withdraw", name)
        numbers = [iccid(prefix, serial) for serial in range(first, last + 1)]
        left = [number for number in numbers if number not in issued]
        for number in left:
            identity = own_identity(self._operators, number)
            payload = WithdrawalPayload(operator=name, iccid=number, matching_id=identity.matching_id)
            # It belongs to no order that is known, as a profile of the stock.
            tx.schedule(kind, f"{STOCK_KEY}{uuid_for('lost profile', name, number)}", payload)
        return len(left)
