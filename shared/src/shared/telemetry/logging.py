"""Structured logs: one JSON object per line, with the trace's id and never with personal data.

Exceptions are logged by type and place only: their messages may repeat what a person typed.
"""

import logging
import sys
import traceback
from typing import Any

import structlog

from shared.telemetry.tracing import current, trace_id

_LIBRARIES = ("psycopg", "sqlalchemy", "httpx", "httpcore", "contextlib", "asyncio", "shared.database")
_QUIET_LIBRARIES = ("aiokafka", "faststream", "uvicorn", "sqlalchemy", "httpx")


def configure(service: str, level: str = "INFO") -> None:
    """Set up logging for a process."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _trace,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _error_place,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_LibraryFormatter(service))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in _QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)


def get_logger(name: str) -> Any:
    """A structlog logger."""
    return structlog.get_logger(module=name)


def error_place(error: BaseException) -> str:
    """`ValueError at module.py:12`: the type and the innermost place of an exception, without its message.

    For an error inside a driver or a client, the place that called it.
    """
    frames = list(traceback.walk_tb(error.__traceback__))
    ours = [entry for entry in frames if not str(entry[0].f_globals.get("__name__", "")).startswith(_LIBRARIES)]
    where = ""
    if frames:
        frame, line = (ours or frames)[-1]
        where = f" at {frame.f_code.co_filename.rsplit('/', 1)[-1]}:{line}"
    return f"{type(error).__name__}{where}"


def _trace(_logger: object, _method: str, event: Any) -> Any:
    """Add the trace id of the line: the one that the caller gives, or that of the present task."""
    trace = event.pop("trace_id", None) or trace_id(current.get())
    if trace is not None:
        event["trace_id"] = trace
    return event


def _error_place(_logger: object, _method: str, event: Any) -> Any:
    error = event.pop("error", None)
    if isinstance(error, BaseException):
        event["error"] = error_place(error)
    elif error is not None:
        event["error"] = error
    return event


class _LibraryFormatter(logging.Formatter):
    """Formats log records of libraries in the same way, without the messages of their exceptions."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._render = structlog.processors.JSONRenderer()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        event: dict[str, Any] = {
            "service": self._service,
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage() if not record.exc_info else str(record.msg),
            "timestamp": self.formatTime(record),
        }
        if record.exc_info and record.exc_info[1]:
            event["error"] = error_place(record.exc_info[1])
        return str(self._render(None, "", event))
