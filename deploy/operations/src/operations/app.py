"""The wiring of operations."""

from datetime import timedelta

from operations.api import router
from operations.clients.trace_store import Spans
from operations.facts.handlers import ReadModel
from operations.hashes import EmailHashes
from operations.invariants.metrics import Figures
from operations.invariants.progress import Progress
from operations.invariants.scheduled_jobs import Evaluator
from operations.pages.site import serve_pages
from operations.reading import Reading
from operations.scheduled_jobs import Tidier
from operations.services.polling import Watch
from operations.settings import Settings
from shared.clock import Clock
from shared.contracts import BuyerContact
from shared.kernel.outbound import OutboundClient
from shared.kernel.service import Service
from shared.messaging.reading import GroupReading
from shared.operations.callers import use_operations_keys
from shared.telemetry.trace_links import TraceLinks

#: A trace is the largest answer; how much of it is shown is Spans' own limit, which is lower.
_MOST_BYTES = 16 * 1024 * 1024


def build(settings: Settings, *, clock: Clock | None = None) -> Service:
    """Operations, ready to run. It records no spans: who watches leaves no marks on the traces of orders."""
    silent = settings.model_copy(update={"otlp_endpoint": None, "trace_file": None})
    service = Service("operations", silent, clock=clock, publishes=False)
    hashes = EmailHashes(settings.search_key)
    model = ReadModel(hashes)
    service.consumes(model.handlers())
    service.forgets(BuyerContact, model.buyer_erased)
    http = OutboundClient(seconds=5, most_bytes=_MOST_BYTES)
    service.closes(http.aclose)
    trace_links = TraceLinks(settings.trace_url_template)
    spans = Spans(http, settings.trace_api, trace_links)
    reading = Reading(service.database, hashes, trace_links, spans, settings.services)
    service.runs(
        _evaluator(service, settings, http).run, Tidier(service.database, settings.keep, settings.keep_audit).run
    )
    use_operations_keys(service.app, settings.operations_keys)
    service.serves(router(reading))
    serve_pages(service, settings, reading, trace_links)
    return service


def _evaluator(service: Service, settings: Settings, http: OutboundClient) -> Evaluator:
    prefix = settings.topic_prefix
    topics = [prefix + topic for topic in service.consumer.topics]
    watch = Watch(
        service.database,
        http,
        settings.services,
        operations_key=settings.operations_key,
        agent_key=settings.agent_key,
    )
    return Evaluator(
        service.database,
        Progress(GroupReading(settings.kafka, prefix + service.name, topics)),
        watch,
        Figures(service.metrics.registry),
        settings.services,
        every=timedelta(seconds=settings.evaluation_seconds),
        overrides=settings.invariant_seconds,
        clock=service.clock,
    )
