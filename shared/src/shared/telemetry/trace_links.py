"""Links to traces in the trace store, for people."""

from shared.telemetry.tracing import trace_id


def span_id(traceparent: str | None) -> str | None:
    """The span id of a traceparent, 16 hex digits; None where it is not valid."""
    return traceparent[36:52] if traceparent and trace_id(traceparent) else None


class TraceLinks:
    """Makes links to spans. `template`: an address with `{trace_id}` and `{span_id}`; None: there are no links."""

    def __init__(self, template: str | None) -> None:
        self._template = template

    def of(self, traceparent: str | None) -> str | None:
        """The link to the span of a traceparent."""
        return self.by_id(trace_id(traceparent), span_id(traceparent) or "")

    def by_id(self, trace: str | None, span: str = "") -> str | None:
        """The link to a trace (32 hex digits), at one of its spans (16 hex digits) where that is given."""
        return self._template.format(trace_id=trace, span_id=span) if self._template and trace else None
