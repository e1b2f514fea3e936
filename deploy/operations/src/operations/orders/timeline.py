"""An order's timeline with the spans of its traces between the facts."""

from datetime import datetime

from operations.clients.trace_store import SpanView, TraceStore, TraceStoreError
from operations.orders.models import OrderView, TimelineLine

_MOST_SPANS = 500
#: One order is one trace. A second one (a refund that a person requested) is read too, and no more.
_MOST_TRACES = 3


async def with_spans(order: OrderView, trace_store: TraceStore) -> OrderView:
    """The order with its spans in the timeline, or with the reason why they are missing (`spans_problem`)."""
    trace_ids = list(dict.fromkeys(line.trace_id for line in order.timeline if line.trace_id))[:_MOST_TRACES]
    try:
        spans = await trace_store.spans(trace_ids)
    except TraceStoreError as error:
        return order.model_copy(update={"spans_problem": str(error)})
    earliest = sorted(spans, key=lambda span: span.started_at)[:_MOST_SPANS]
    timeline = sorted([*order.timeline, *map(_line, earliest)], key=_published_at)
    return order.model_copy(update={"timeline": timeline})


def _line(span: SpanView) -> TimelineLine:
    return TimelineLine(
        at=span.started_at,
        topic=None,
        summary={},
        told_at=None,
        known_at=None,
        trace_id=None,
        trace_url=span.trace_url,
        span=span,
    )


def _published_at(line: TimelineLine) -> datetime:
    """A fact stands where it was published, which is within its span."""
    return line.told_at or line.at
