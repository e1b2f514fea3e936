"""Where people look at a trace."""

from shared.telemetry.tracing import trace_id


def span_id(traceparent: str | None) -> str | None:
    """The 16 hex digits that name the span."""
    return traceparent[36:52] if traceparent and trace_id(traceparent) else None


class TraceLinks:
    """Where operations look at a span. `template`: an address with `{trace_id}` and `{span_id}`; None: nowhere."""

    def __init__(self, template: str | None) -> None:
        self._template = template

    def of(self, traceparent: str | None) -> str | None:
        """The page of the span that a traceparent names."""
        return self.by_id(trace_id(traceparent), span_id(traceparent) or "")

    def by_id(self, trace: str | None, span: str = "") -> str | None:
        """The page of a trace, at one of its spans where one is named (32 and 16 hex digits)."""
        return self._template.format(trace_id=trace, span_id=span) if self._template and trace else None
