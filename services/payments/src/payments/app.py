"""Assembles payments."""

from collections.abc import Mapping
from datetime import timedelta

from payments import attempts, ledger, privacy, receipts, reconciliation, refunds, refused_refunds
from payments.bank_context import BankContext
from payments.clients.bank import Bank
from payments.clients.epay.http import EpayBank
from payments.clients.instant import InstantBank
from payments.clients.rate_limit import RateLimit
from payments.clients.webkassa.http import Webkassa
from payments.http_context import HttpContext, use_context
from payments.metrics import PaymentMetrics, ReceiptMetrics
from payments.polling import PollingSchedule
from payments.recovery.bank_questions import BankQuestions
from payments.recovery.handlers import OwnEvents
from payments.scheduled_jobs import ScheduledJobs
from payments.settings import CashRegister, Settings
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
from shared.kernel.auth import ApiKeys
from shared.kernel.privacy import exports, forgets
from shared.kernel.service import Service
from shared.keys.handlers import HANDLERS as KEY_HANDLERS
from shared.keys.shop_keys import ShopKeys
from shared.shops.files import ShopFiles
from shared.shops.holidays import known_holidays
from shared.shops.settings import warn_of_overrides
from shared.telemetry.logging import get_logger

log = get_logger(__name__)


def build(settings: Settings, *, clock: Clock | None = None) -> Service:
    """Make the service, ready to run. Raises ShopsError when the shops' folder is refused."""
    service = Service("payments", settings, clock=clock)
    metrics = PaymentMetrics(service.metrics.registry)
    instant = settings.epay_adapter == "instant"
    bank: Bank = InstantBank() if instant else EpayBank(settings, service.tracing, metrics)
    if instant:
        log.warning("instant_bank", meaning="every order is approved without a payment; for benchmarks only")
    service.closes(bank.close)
    shops = ShopFiles.of(settings, [known_holidays])
    shops.measure(service.metrics.registry)
    warn_of_overrides(settings, {"storefront_lapse_seconds": "shop.toml: deadlines.payment_seconds"})
    _consume(service, settings, shops, pay_at_once=instant)
    _perform(service, settings, bank, metrics, shops)
    _schedule(service, settings, metrics, reconciles=not instant)
    receipt_intents = _issue_receipts(service, settings, settings.registers(shops.current()))
    _recover(service, BankContext(bank, service.database, metrics, str(settings.epay_terminal)), receipt_intents)
    _serve(service, settings, bank, metrics, shops)
    return service


def _lapse_times(settings: Settings, shops: ShopFiles) -> attempts.LapseTimes:
    def of_shop(slug: str) -> timedelta | None:
        shop = shops.shop(slug)
        seconds = settings.storefront_lapse_seconds.get(slug) or (shop.deadlines.payment_seconds if shop else None)
        return None if seconds is None else timedelta(seconds=seconds)

    return attempts.LapseTimes(timedelta(seconds=settings.payment_lapse_seconds), of_shop)


def _consume(service: Service, settings: Settings, shops: ShopFiles, *, pay_at_once: bool) -> None:
    lapse_times = _lapse_times(settings, shops)
    service.consumes(
        {
            OrderPlaced: attempts.order_placed(pay_at_once=pay_at_once, lapse_times=lapse_times),
            BuyerContact: privacy.buyer_contact,
            RefundApproved: refunds.refund_approved,
            RefundRetryRequested: refused_refunds.refund_retry_requested,
            HandPaymentRecorded: refused_refunds.hand_payment_recorded,
            HandPaymentDecided: refused_refunds.hand_payment_decided,
            BuyerErasureRequested: forgets(PaymentsBuyerErased, privacy.ERASURE, kept=privacy.KEPT),
            **KEY_HANDLERS,
        }
    )
    service.forgets(BuyerContact, privacy.buyer_erased)


def _perform(service: Service, settings: Settings, bank: Bank, metrics: PaymentMetrics, shops: ShopFiles) -> None:
    uses = BankContext(bank, service.database, metrics, str(settings.epay_terminal))
    rate_limit = RateLimit(settings.asks_per_second, burst=20)

    def check_status(
        kind: str, first_seconds: float, concurrency: int, rate_limit: RateLimit | None = None
    ) -> attempts.CheckStatus:
        return attempts.CheckStatus(
            kind,
            uses,
            schedule=_polling(settings, first_seconds),
            concurrency=concurrency,
            rate_limit=rate_limit,
        )

    service.performs(
        check_status(attempts.CHECK, settings.check_first_seconds, settings.check_concurrency),
        check_status(attempts.POLL, settings.poll_first_seconds, settings.poll_concurrency, rate_limit),
        refunds.MakeRefund(
            uses,
            shops,
            schedule=_polling(settings, settings.check_first_seconds, settings.refund_wait_seconds),
            doubt=timedelta(seconds=settings.refund_doubt_seconds),
            concurrency=settings.refund_concurrency,
        ),
        refused_refunds.ConfirmHandPayment(uses),
        attempts.DuplicateCapture(service.database),
        reconciliation.PlanDay(service.database, metrics),
        reconciliation.CompareInvoice(uses, rate_limit, concurrency=settings.poll_concurrency),
    )


def _schedule(service: Service, settings: Settings, metrics: PaymentMetrics, *, reconciles: bool) -> None:
    warn_before = timedelta(seconds=settings.refund_warn_seconds)
    reconcile_after = timedelta(seconds=settings.reconcile_after_seconds) if reconciles else None
    jobs = ScheduledJobs(
        service.database,
        {
            "lapse": attempts.LapseOrders(metrics).run,
            "promises": refunds.WatchPromisedDates(warn_before).run,
            "balance": ledger.check_balance,
            "revenue": ledger.RecogniseRevenue(timedelta(days=settings.revenue_after_days)).run,
            "reconcile": reconciliation.StartDays(reconcile_after).run,
        },
        [
            refunds.RefundGauges(metrics, warn_before).refresh,
            refused_refunds.RefusedRefundGauges(metrics).refresh,
            ledger.LedgerGauge(metrics).refresh,
        ],
        seconds=settings.chore_seconds,
        margin=timedelta(seconds=settings.chore_margin_seconds),
    )
    service.runs(jobs.run)


def _recover(service: Service, uses: BankContext, receipt_intents: receipts.ReceiptIntents | None) -> None:
    own_events = OwnEvents(receipt_intents)
    questions = BankQuestions(uses, own_events)
    service.recovers(own_events.handlers, before=[questions.skip_invoice_ids], after=[questions.ask])


def _issue_receipts(
    service: Service, settings: Settings, registers: Mapping[str, CashRegister]
) -> receipts.ReceiptIntents | None:
    """Follow each payment and refund by its receipt, at storefronts with a cash register."""
    if not registers:
        return None
    metrics = ReceiptMetrics(service.metrics.registry, service.clock.now)
    webkassa = Webkassa(
        settings.webkassa_url or "",
        settings.webkassa_api_key.get_secret_value(),
        settings.webkassa_timeout_seconds,
        service.tracing,
        metrics,
    )
    service.closes(webkassa.close)
    # Before the task worker, which inserts the tasks that this participant schedules.
    intents = receipts.ReceiptIntents(registers, metrics)
    service.database.participants.insert(0, intents)
    turns = receipts.Turns(service.database, lambda: service.task_worker.owner)
    service.performs(
        *(
            receipts.IssueReceipts(storefront, register, webkassa, service.database, turns, metrics)
            for storefront, register in registers.items()
        )
    )
    return intents


def _serve(service: Service, settings: Settings, bank: Bank, metrics: PaymentMetrics, shops: ShopFiles) -> None:
    shop_keys = ShopKeys(service.database, settings.storefront_keys, sandbox=settings.sandbox)
    service.runs(shop_keys.run)
    service.closes(shop_keys.record_uses)
    context = HttpContext(
        database=service.database,
        bank=bank,
        metrics=metrics,
        shop_keys=shop_keys,
        agent_keys=ApiKeys(settings.agent_keys, asked="agent key", problem="unknown-agent-key"),
        shops=shops,
        terminal=str(settings.epay_terminal),
        webhook_url=settings.webhook_url,
        first_poll=timedelta(seconds=settings.poll_first_seconds),
    )
    use_context(service.app, context)
    features = (attempts, ledger, refunds, reconciliation, receipts, refused_refunds)
    service.serves(
        *(feature.routes for feature in features),
        exports(service.database, settings.privacy_key, privacy.EXPORT),
    )


def _polling(settings: Settings, first: float, give_up: float | None = None) -> PollingSchedule:
    return PollingSchedule(
        first=timedelta(seconds=first),
        longest=timedelta(seconds=settings.poll_longest_seconds),
        give_up=timedelta(seconds=give_up or settings.poll_give_up_seconds),
    )
