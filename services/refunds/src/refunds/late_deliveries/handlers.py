"""Schedules the check of the delivery when an order is paid."""

from collections.abc import Sequence

from refunds.cases import CaseHandlers
from refunds.late_deliveries.tasks import schedule_checks
from refunds.policy import OrderPolicies
from shared.contracts import Event, OrderPaid
from shared.database import Tx
from shared.messaging.consumer import Handler, Received


class LateDeliveryHandlers:
    """Handles OrderPaid, and passes it on to the handlers of the cases."""

    def __init__(self, cases: CaseHandlers, policies: OrderPolicies) -> None:
        self._cases = cases
        self._policies = policies

    def handlers(self) -> dict[type[Event], Handler]:
        """The handler of each event."""
        return {OrderPaid: self.order_paid}

    async def order_paid(self, tx: Tx, batch: Sequence[Received[OrderPaid]]) -> None:
        """Schedule the check, and store the payment."""
        schedule_checks(tx, self._policies, (received.event for received in batch))
        await self._cases.order_paid(tx, batch)
