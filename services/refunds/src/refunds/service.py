"""The wiring of refunds."""

import base64
from datetime import timedelta

from refunds.api import case_router
from refunds.api.callers import Callers
from refunds.consumers import Facts
from refunds.desk import Desk
from refunds.desk.changes import Patience
from refunds.desk.figures import Figures
from refunds.desk.judging import Judge
from refunds.desk.opening import Fingerprints
from refunds.pages.wiring import serve_pages
from refunds.policies import policies
from refunds.policies.page import policy_router
from refunds.privacy import HELD
from refunds.refused import RefusedRefunds
from refunds.refused import router as refused_router
from refunds.settings import Settings
from refunds.telegram.wiring import add_telegram
from refunds.work.delivery import DeliveryDue
from refunds.work.timers import CaseDue, ClaimDue
from refunds.work.watch import Watch
from shared.clock import Clock
from shared.contracts import BuyerContact
from shared.kernel.privacy import exports
from shared.kernel.service import Service
from shared.messaging.reading import GroupReading


def build(settings: Settings, *, clock: Clock | None = None) -> Service:
    """Refunds, ready to run."""
    service = Service("refunds", settings, clock=clock)
    figures = Figures(service.metrics.registry)
    judge = Judge(policies())
    fingerprints = Fingerprints(base64.b64decode(settings.seal_private_key.get_secret_value()))
    desk = Desk(
        judge,
        figures,
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
    facts = Facts(desk, fingerprints)
    service.consumes(facts.handlers())
    service.forgets(BuyerContact, facts.buyer_erased)
    prefix = settings.topic_prefix
    topics = [prefix + topic for topic in service.consumer.topics]
    reading = GroupReading(settings.kafka, prefix + "refunds", topics)
    service.performs(CaseDue(desk), ClaimDue(desk), DeliveryDue(desk, reading))
    service.runs(Watch(service.database, judge, figures).run)
    callers = Callers(settings.storefront_keys, settings.agent_keys)
    refused = RefusedRefunds()
    serve_pages(service, settings, desk, refused)
    add_telegram(service, settings, desk, fingerprints)
    service.serves(
        case_router(service.database, desk, callers),
        refused_router(service.database, refused, callers),
        policy_router(policies(), service.clock),
        exports(service.database, settings.privacy_key, HELD),
    )
    return service
