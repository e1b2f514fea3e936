"""The wiring of fiscal receipts; nothing at all where no storefront has a cash register."""

from payments.clients.webkassa.http import Webkassa
from payments.receipts.metrics import FiscalMetrics
from payments.receipts.store import ReceiptBook
from payments.receipts.tasks import IssueReceipts
from payments.receipts.turns import Turns
from payments.settings import Settings
from shared.kernel.service import Service


def issue_receipts(service: Service, settings: Settings) -> None:
    """Have every payment and refund of a storefront with a cash register followed by its receipt."""
    if not settings.cash_registers:
        return
    metrics = FiscalMetrics(service.metrics.registry, service.clock.now)
    webkassa = Webkassa(
        settings.webkassa_url or "",
        settings.webkassa_api_key.get_secret_value(),
        settings.webkassa_timeout_seconds,
        service.tracing,
        metrics,
    )
    service.closes(webkassa.close)
    # Before the task worker: what it schedules must still be inserted.
    service.database.participants.insert(0, ReceiptBook(settings.cash_registers, metrics))
    turns = Turns(service.database, lambda: service.task_worker.owner)
    service.performs(
        *(
            IssueReceipts(storefront, register, webkassa, service.database, turns, metrics)
            for storefront, register in settings.cash_registers.items()
        )
    )
