"""Assembles operations from its features."""

from datetime import timedelta

from operations.audit import journal
from operations.clients.trace_store import TraceStore
from operations.dependencies import Dependencies
from operations.facts.handlers import FactHandlers
from operations.hashes import EmailHashes, NameFingerprints
from operations.invariants.metrics import InvariantMetrics
from operations.invariants.progress import Progress
from operations.invariants.routes import routes as invariants
from operations.invariants.scheduled_jobs import EvaluateInvariants
from operations.orders.routes import routes as orders
from operations.pages.rendering import PAGES
from operations.pages.roles import OPERATOR, VIEWER
from operations.pages.routes import routes as pages
from operations.refused_refunds.routes import routes as refused_refunds
from operations.scheduled_jobs import DeleteOldRecords
from operations.services import ServicePolling
from operations.services.routes import routes as services
from operations.settings import Settings
from shared.clock import Clock
from shared.contracts import BuyerContact
from shared.kernel.outbound import OutboundClient
from shared.kernel.service import Service
from shared.kernel.services import ServicesClient
from shared.messaging.reading import GroupReading
from shared.operations.callers import use_operations_keys
from shared.signin.setup import serve_sign_in
from shared.telemetry.trace_links import TraceLinks

#: A trace is the largest answer. How much of it is shown is limited further by TraceStore.
_MOST_BYTES = 16 * 1024 * 1024


def build(settings: Settings, *, clock: Clock | None = None) -> Service:
    """Assemble the service. It records no spans, so that the traces of orders contain only what orders cause."""
    silent = settings.model_copy(update={"otlp_endpoint": None, "trace_file": None})
    service = Service("operations", silent, clock=clock, publishes=False)
    hashes = EmailHashes(settings.search_key)
    handlers = FactHandlers(hashes)
    service.consumes(handlers.handlers())
    service.forgets(BuyerContact, handlers.buyer_erased)
    http = OutboundClient(seconds=5, most_bytes=_MOST_BYTES)
    service.closes(http.aclose)
    client = ServicesClient(settings.services, settings.operations_key, service.tracing, key_setting="OPERATIONS_KEY")
    service.closes(client.close)
    trace_links = TraceLinks(settings.trace_url_template)
    service.runs(
        _evaluation(service, settings, http).run,
        DeleteOldRecords(service.database, settings.keep, settings.keep_audit).run,
    )
    use_operations_keys(service.app, settings.operations_keys)
    access = settings.access({settings.oidc_operator_role: OPERATOR, settings.oidc_viewer_role: VIEWER})
    sessions = serve_sign_in(service, PAGES, access, journal(NameFingerprints(settings.search_key)))
    service.app.state.dependencies = Dependencies(
        email_hashes=hashes,
        trace_links=trace_links,
        trace_store=TraceStore(http, settings.trace_api, trace_links),
        service_urls=settings.services,
        services=client,
        sessions=sessions,
    )
    service.serves(orders, refused_refunds, invariants, services, pages)
    return service


def _evaluation(service: Service, settings: Settings, http: OutboundClient) -> EvaluateInvariants:
    prefix = settings.topic_prefix
    topics = [prefix + topic for topic in service.consumer.topics]
    polling = ServicePolling(
        service.database,
        http,
        settings.services,
        operations_key=settings.operations_key,
        agent_key=settings.agent_key,
    )
    return EvaluateInvariants(
        service.database,
        Progress(GroupReading(settings.kafka, prefix + service.name, topics)),
        polling,
        InvariantMetrics(service.metrics.registry),
        settings.services,
        every=timedelta(seconds=settings.evaluation_seconds),
        overrides=settings.invariant_seconds,
        clock=service.clock,
    )
