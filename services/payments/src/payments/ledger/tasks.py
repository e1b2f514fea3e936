"""Scheduled jobs of the ledger: `balance` compares it with the other tables, `revenue` recognises revenue."""

from datetime import datetime, timedelta

from payments.ledger import store
from payments.metrics import PaymentMetrics
from shared.database import Tx
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
#: The longest span of time that one step compares, after a long stop.
_SLICE = timedelta(minutes=10)


async def check_balance(tx: Tx, since: datetime, until: datetime) -> tuple[datetime, bool]:
    """Job `balance`: log every order whose ledger differs from its captures and refunds."""
    reached = min(until, since + _SLICE)
    for row in await store.check(tx, since, reached):
        log.error("ledger_imbalance", order_id=str(row.order_id), currency=row.currency, off_minor=row.off_minor)
    return reached, reached < until


class RecogniseRevenue:
    """Job `revenue`: funds become revenue this long after their capture, when the time for refunds is over."""

    def __init__(self, after: timedelta) -> None:
        self._after = after

    async def run(self, tx: Tx, since: datetime, until: datetime) -> tuple[datetime, bool]:
        """Recognise what was captured between `since` and the regular time before `until`."""
        return await store.recognise(tx, since, max(since, until - self._after))


class LedgerGauge:
    """Shows the imbalance on `/metrics`."""

    def __init__(self, metrics: PaymentMetrics) -> None:
        self._metrics = metrics

    async def refresh(self, tx: Tx) -> None:
        """Read it from the database."""
        self._metrics.imbalance.set(await store.imbalance(tx))
