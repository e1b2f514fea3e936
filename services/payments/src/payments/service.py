"""The wiring of payments."""

from datetime import timedelta

from payments import consumers
from payments.api import payment_router, webhook_router
from payments.bank import Bank
from payments.domain.asking import Patience
from payments.epay import EpayBank, webhook_url
from payments.fiscal.wiring import issue_receipts
from payments.instant import InstantBank
from payments.metrics import PaymentMetrics
from payments.settings import Settings
from payments.work.checking import CHECK, POLL, CheckStatus
from payments.work.duplicates import DuplicateCapture
from payments.work.refunding import ReturnMoney
from shared.clock import Clock
from shared.contracts import BuyerContact, OrderPlaced, RefundApproved
from shared.kernel.auth import StorefrontKeys
from shared.kernel.service import Service
from shared.telemetry.logging import get_logger

log = get_logger(__name__)


def build(settings: Settings, *, clock: Clock | None = None) -> Service:
    """Payments, ready to run."""
    service = Service("payments", settings, clock=clock)
    metrics = PaymentMetrics(service.metrics.registry)
    instant = settings.epay_adapter == "instant"
    bank: Bank = InstantBank() if instant else EpayBank(settings, service.tracing, metrics)
    if instant:
        log.warning("instant_bank", meaning="every order is approved without a payment; for benchmarks only")
    service.closes(bank.close)
    terminal = str(settings.epay_terminal)
    database = service.database
    nudged, timed = _patience(settings, settings.check_first_seconds), _patience(settings, settings.poll_first_seconds)

    def checks(kind: str, patience: Patience, concurrency: int) -> CheckStatus:
        return CheckStatus(kind, bank, database, metrics, terminal=terminal, patience=patience, concurrency=concurrency)

    service.consumes(
        {
            OrderPlaced: consumers.order_placed(pay_at_once=instant),
            BuyerContact: consumers.buyer_contact,
            RefundApproved: consumers.refund_approved,
        }
    )
    service.forgets(BuyerContact, consumers.buyer_erased)
    service.performs(
        checks(CHECK, nudged, settings.check_concurrency),
        checks(POLL, timed, settings.poll_concurrency),
        ReturnMoney(
            bank, database, metrics, terminal=terminal, patience=nudged, concurrency=settings.refund_concurrency
        ),
        DuplicateCapture(),
    )
    issue_receipts(service, settings)
    keys = StorefrontKeys({slug: key.get_secret_value() for slug, key in settings.storefront_keys.items()})
    first_poll = timedelta(seconds=settings.poll_first_seconds)
    link = webhook_url(settings)
    service.serves(
        payment_router(database, bank, keys, terminal=terminal, post_link=link, first_poll=first_poll),
        webhook_router(database, metrics),
    )
    return service


def _patience(settings: Settings, first: float) -> Patience:
    return Patience(
        first=timedelta(seconds=first),
        longest=timedelta(seconds=settings.poll_longest_seconds),
        give_up=timedelta(seconds=settings.poll_give_up_seconds),
    )
