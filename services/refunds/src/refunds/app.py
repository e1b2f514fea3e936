"""The wiring of refunds."""

import base64
from datetime import timedelta

from refunds.agent_pages.wiring import serve_pages
from refunds.callers import Callers
from refunds.cases import CaseService
from refunds.cases.changes import Patience
from refunds.cases.handlers import Facts
from refunds.cases.metrics import CaseMetrics
from refunds.cases.routes import appeals, cases, requests
from refunds.cases.rules.fingerprints import Fingerprints
from refunds.cases.scheduled_jobs import Watch
from refunds.cases.timers import CaseDue
from refunds.channels.wiring import add_telegram
from refunds.claims import routes as claims
from refunds.claims.tasks import ClaimDue
from refunds.eligibility import routes as eligibility
from refunds.late_deliveries.tasks import DeliveryDue
from refunds.policy.routes import policy_router
from refunds.policy.rules.order_policies import OrderPolicies
from refunds.policy.store import bundled_policies
from refunds.privacy.store import HELD
from refunds.refused_refunds import RefusedRefunds
from refunds.refused_refunds import router as refused_router
from refunds.settings import Settings
from shared.clock import Clock
from shared.contracts import BuyerContact
from shared.kernel.privacy import exports
from shared.kernel.service import Service
from shared.messaging.reading import GroupReading


def build(settings: Settings, *, clock: Clock | None = None) -> Service:
    """Refunds, ready to run."""
    service = Service("refunds", settings, clock=clock)
    metrics = CaseMetrics(service.metrics.registry)
    policies = OrderPolicies(bundled_policies())
    fingerprints = Fingerprints(base64.b64decode(settings.seal_private_key.get_secret_value()))
    case_service = CaseService(
        policies,
        metrics,
        fingerprints,
        patience=Patience(
            observation=timedelta(hours=settings.observation_patience_hours),
            asking=timedelta(seconds=settings.observation_retry_seconds),
            by_storefront={
                name: timedelta(hours=hours) for name, hours in settings.storefront_observation_patience_hours.items()
            },
        ),
        keep_notes=timedelta(days=settings.notes_keep_days),
    )
    facts = Facts(case_service, fingerprints)
    service.consumes(facts.handlers())
    service.forgets(BuyerContact, facts.buyer_erased)
    prefix = settings.topic_prefix
    topics = [prefix + topic for topic in service.consumer.topics]
    reading = GroupReading(settings.kafka, prefix + "refunds", topics)
    service.performs(CaseDue(case_service), ClaimDue(case_service), DeliveryDue(case_service, reading))
    service.runs(Watch(service.database, policies, metrics).run)
    callers = Callers(settings.storefront_keys, settings.agent_keys)
    refused = RefusedRefunds()
    serve_pages(service, settings, case_service, refused)
    add_telegram(service, settings, case_service, fingerprints)
    service.serves(
        *(
            module.router(service.database, case_service, callers)
            for module in (requests, eligibility, cases, appeals, claims)
        ),
        refused_router(service.database, refused, callers),
        policy_router(bundled_policies(), service.clock),
        exports(service.database, settings.privacy_key, HELD),
    )
    return service
