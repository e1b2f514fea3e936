"""The wiring of operations."""

import httpx

from operations.api import router
from operations.consumers import ReadModel
from operations.hashes import EmailHashes
from operations.reading import Reading
from operations.reading.spans import Spans
from operations.settings import Settings
from shared.clock import Clock
from shared.contracts import BuyerContact
from shared.kernel.service import Service
from shared.telemetry.pages import TracePages


def build(settings: Settings, *, clock: Clock | None = None) -> Service:
    """Operations, ready to run. It records no spans: who watches leaves no marks on the traces of orders."""
    silent = settings.model_copy(update={"otlp_endpoint": None, "trace_file": None})
    service = Service("operations", silent, clock=clock)
    hashes = EmailHashes(settings.search_key)
    model = ReadModel(hashes)
    service.consumes(model.handlers())
    service.forgets(BuyerContact, model.buyer_erased)
    http = httpx.AsyncClient(trust_env=False, follow_redirects=False)
    service.closes(http.aclose)
    pages = TracePages(settings.trace_url_template)
    spans = Spans(http, settings.trace_api, pages)
    reading = Reading(service.database, hashes, pages, spans, settings.services)
    service.serves(router(reading, settings.operations_keys))
    return service
