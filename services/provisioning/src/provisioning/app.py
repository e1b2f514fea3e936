"""Assembles the service: its handlers of events, its tasks, its loops and its HTTP endpoints."""

from collections.abc import Sequence
from datetime import timedelta

from provisioning.dependencies import provide
from provisioning.generation import routes as generation_routes
from provisioning.generation import webhooks
from provisioning.generation.adoption import Adoption
from provisioning.generation.early_expiry import EarlyExpiries
from provisioning.generation.handlers import GenerationHandlers
from provisioning.generation.publishing import ProfilePublisher
from provisioning.generation.tasks import Provision, outcomes_counter
from provisioning.lifecycle import privacy
from provisioning.lifecycle.handlers import CaseHandlers
from provisioning.lifecycle.notices import Notices
from provisioning.lifecycle.observation import Observations
from provisioning.lifecycle.routes import profiles, reports
from provisioning.lifecycle.routes.reports import Reports, provide_reports
from provisioning.lifecycle.tasks.dispatch import LifecycleAction, LifecycleTasks
from provisioning.lifecycle.tasks.inquire import Inquire
from provisioning.lifecycle.tasks.observe import DueProfiles, Observe
from provisioning.lifecycle.tasks.revoke import Revoke
from provisioning.operators import routes as operators_routes
from provisioning.operators.registry import Operators, build_operators
from provisioning.operators.rules.routing import ANY
from provisioning.recovery.handlers import OwnEvents
from provisioning.recovery.identities import LostIdentities
from provisioning.settings import Settings
from provisioning.shop_terms import ShopTerms
from provisioning.stock.store import Stock
from provisioning.stock.tasks import Refill, StockOrder, stock_level
from provisioning.top_ups import routes as top_ups_routes
from provisioning.top_ups.handlers import TopUpHandlers
from provisioning.top_ups.tasks import TopUp
from provisioning.withdrawal.tasks import Withdraw
from shared.clock import Clock
from shared.contracts import (
    BuyerErasureRequested,
    CancellationAccepted,
    OrderPaid,
    RefundApproved,
    RefundRequested,
    RevocationRequested,
)
from shared.database import Tx
from shared.kernel.privacy import exports
from shared.kernel.service import Service
from shared.messaging.consumer import Handler, Received
from shared.sealed import Sealer
from shared.shops.settings import warn_of_overrides


def build(settings: Settings, *, clock: Clock | None = None) -> Service:
    """The service with its handlers, tasks and HTTP. Raises ValueError for settings and shops that cannot work."""
    service = Service("provisioning", settings, clock=clock)
    operators = build_operators(settings, service)
    service.closes(operators.close)
    sealer = Sealer("notifications", settings.notifications_seal_public_key)
    operators.shops.measure(service.metrics.registry)
    _warn(settings)
    terms = ShopTerms(settings, operators.shops)
    publisher = ProfilePublisher(settings, terms, sealer, EarlyExpiries(service.metrics.registry))
    _add_generation(service, settings, operators, publisher)
    _add_lifecycle(service, settings, operators, publisher, terms)
    return service


def _warn(settings: Settings) -> None:
    """Name the settings whose values belong into the shops' folder."""
    warn_of_overrides(
        settings,
        {
            "storefront_time_zones": "shop.toml: time_zone",
            "storefront_deadline_seconds": "shop.toml: deadlines.delivery_seconds",
            "storefront_unused_validity_days": "shop.toml: deadlines.unused_days",
        },
    )
    for setting, place in (("routes", "routes"), ("allowed_personal_fields", "personal_data_for_operators")):
        if getattr(settings, setting).keys() - {ANY}:
            warn_of_overrides(settings, {setting: f"shop.toml: {place}"})


def _add_generation(service: Service, settings: Settings, operators: Operators, publisher: ProfilePublisher) -> None:
    """Features generation, withdrawal and stock: tasks of each operator, and the pools of the stock."""
    database = service.database
    outcomes = outcomes_counter(service.metrics.registry)
    for name in operators.names:
        service.performs(
            Provision(settings, operators, name, publisher, database, outcomes),
            Withdraw(operators, name, service.clock),
        )
    service.runs(Adoption(operators, database).run)
    for name in sorted({pool.operator for pool in settings.stock}):
        service.performs(StockOrder(settings.stock, operators, name, database))
    if settings.stock:
        refill = Refill(settings.stock, operators, database, stock_level(service.metrics.registry))
        service.performs(refill)
        service.runs(refill.run)


def _add_lifecycle(
    service: Service, settings: Settings, operators: Operators, publisher: ProfilePublisher, terms: ShopTerms
) -> None:
    """Features lifecycle and top_ups, and all HTTP endpoints."""
    database = service.database
    skew = timedelta(seconds=settings.clock_skew_seconds)
    notices = Notices(terms)
    observations = Observations(operators, skew, service.metrics.registry, publisher.early_expiries, notices)
    generation = GenerationHandlers(terms, operators, Stock(settings.stock), publisher)
    cases, top_ups = CaseHandlers(operators), TopUpHandlers(terms, operators)
    publisher.listen(cases.profiles_generated)
    service.consumes(
        {
            OrderPaid: by_kind(generation.order_paid, top_ups.order_paid),
            RefundRequested: cases.refund_requested,
            RefundApproved: cases.refund_approved,
            RevocationRequested: cases.revocation_requested,
            CancellationAccepted: cases.cancellation_accepted,
            BuyerErasureRequested: privacy.buyer_erasure_requested(),
        }
    )
    lost = LostIdentities(operators, database)
    own_events = OwnEvents(terms, operators, cases.profiles_generated)
    service.recovers(own_events.handlers, before=[lost.withdraw], after=[lost.list_unended])
    actions: dict[str, LifecycleAction] = {
        "inquire": Inquire(operators, settings, database, observations),
        "revoke": Revoke(operators, database),
        "top_up": TopUp(operators, database, observations),
    }
    service.runs(DueProfiles(operators, database, settings.watch_seconds).run)
    for name in operators.names:
        service.performs(
            LifecycleTasks(operators.kind("life", name), settings.life_concurrency, actions),
            Observe(operators, operators.kind("observe", name), settings, database, observations, notices),
        )
    provide(service.app, settings, operators)
    provide_reports(service.app, Reports(settings, operators, database, observations))
    service.serves(
        reports.routes,
        profiles.routes,
        top_ups_routes.routes,
        exports(database, settings.privacy_key, privacy.HELD),
        generation_routes.routes,
        operators_routes.routes,
        webhooks.routes,
    )


def by_kind(esims: Handler, top_ups: Handler) -> Handler:
    """A handler of OrderPaid that gives orders of eSIMs to `esims` and top-ups to `top_ups`."""

    async def order_paid(tx: Tx, batch: Sequence[Received[OrderPaid]]) -> None:
        new = [received for received in batch if received.event.kind == "esim"]
        more = [received for received in batch if received.event.kind == "top_up"]
        if new:
            await esims(tx, new)
        if more:
            await top_ups(tx, more)

    return order_paid
