"""The wiring of payments."""

from datetime import timedelta

from payments.agents import agent_router
from payments.attempts import handlers as consumers
from payments.attempts.duplicates import DuplicateCapture
from payments.attempts.handlers import Lapse
from payments.attempts.routes import payment_router, webhook_router
from payments.attempts.tasks import CHECK, POLL, CheckStatus
from payments.clients.bank import Bank
from payments.clients.epay.http import EpayBank, webhook_url
from payments.clients.instant import InstantBank
from payments.clients.rate_limit import Pace
from payments.metrics import PaymentMetrics
from payments.polling import Patience
from payments.privacy import store as privacy
from payments.receipts.wiring import issue_receipts
from payments.reconciliation.tasks import CompareInvoice, PlanDay
from payments.refunds.tasks import ReturnMoney
from payments.refused_refunds import (
    ConfirmHandPayment,
    hand_payment_decided,
    hand_payment_recorded,
    refund_retry_requested,
)
from payments.scheduled_jobs import Chores
from payments.settings import Settings
from shared.clock import Clock
from shared.contracts import (
    BuyerContact,
    BuyerErasureRequested,
    HandPaymentDecided,
    HandPaymentRecorded,
    OrderPlaced,
    PaymentsBuyerErased,
    RefundApproved,
    RefundRetryRequested,
)
from shared.database import Database
from shared.kernel.auth import ApiKeys
from shared.kernel.privacy import exports, forgets
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

    pace = Pace(settings.asks_per_second, burst=20)
    lapse = Lapse(
        timedelta(seconds=settings.payment_lapse_seconds),
        {slug: timedelta(seconds=own) for slug, own in settings.storefront_lapse_seconds.items()},
    )

    def checks(kind: str, patience: Patience, concurrency: int, pace: Pace | None = None) -> CheckStatus:
        return CheckStatus(
            kind, bank, database, metrics, terminal=terminal, patience=patience, concurrency=concurrency, pace=pace
        )

    service.consumes(
        {
            OrderPlaced: consumers.order_placed(pay_at_once=instant, lapse=lapse),
            BuyerContact: consumers.buyer_contact,
            RefundApproved: consumers.refund_approved,
            RefundRetryRequested: refund_retry_requested,
            HandPaymentRecorded: hand_payment_recorded,
            HandPaymentDecided: hand_payment_decided,
            BuyerErasureRequested: forgets(PaymentsBuyerErased, privacy.STATEMENTS, kept=privacy.KEPT),
        }
    )
    service.forgets(BuyerContact, consumers.buyer_erased)
    service.performs(
        checks(CHECK, nudged, settings.check_concurrency),
        checks(POLL, timed, settings.poll_concurrency, pace),
        ReturnMoney(
            bank,
            database,
            metrics,
            terminal=terminal,
            patience=_patience(settings, settings.check_first_seconds, settings.refund_wait_seconds),
            doubt=timedelta(seconds=settings.refund_doubt_seconds),
            concurrency=settings.refund_concurrency,
        ),
        ConfirmHandPayment(bank, database, metrics, terminal=terminal),
        DuplicateCapture(database),
        PlanDay(database, metrics),
        CompareInvoice(bank, database, metrics, pace, terminal=terminal, concurrency=settings.poll_concurrency),
    )
    service.runs(_chores(settings, database, metrics, reconciles=not instant).run)
    issue_receipts(service, settings)
    keys = ApiKeys(settings.storefront_keys)
    first_poll = timedelta(seconds=settings.poll_first_seconds)
    link = webhook_url(settings)
    service.serves(
        payment_router(database, bank, keys, terminal=terminal, post_link=link, first_poll=first_poll),
        webhook_router(database, metrics),
        agent_router(database, ApiKeys(settings.agent_keys, asked="agent key", problem="unknown-agent-key")),
        exports(database, settings.privacy_key, privacy.HELD),
    )
    return service


def _chores(settings: Settings, database: Database, metrics: PaymentMetrics, *, reconciles: bool) -> Chores:
    return Chores(
        database,
        metrics,
        seconds=settings.chore_seconds,
        margin=timedelta(seconds=settings.chore_margin_seconds),
        warn_before=timedelta(seconds=settings.refund_warn_seconds),
        revenue_after=timedelta(days=settings.revenue_after_days),
        reconcile_after=timedelta(seconds=settings.reconcile_after_seconds) if reconciles else None,
    )


def _patience(settings: Settings, first: float, give_up: float | None = None) -> Patience:
    return Patience(
        first=timedelta(seconds=first),
        longest=timedelta(seconds=settings.poll_longest_seconds),
        give_up=timedelta(seconds=give_up or settings.poll_give_up_seconds),
    )
