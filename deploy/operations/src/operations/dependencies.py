"""What endpoints depend on: FastAPI dependencies, each as an annotated type.

`app.py` assembles `Dependencies` once and stores it as `app.state.dependencies`.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from operations.clients.trace_store import TraceStore
from operations.hashes import EmailHashes
from shared.kernel.services import ServicesClient
from shared.signin.sessions import Sessions
from shared.telemetry.trace_links import TraceLinks


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Everything that the endpoints of operations use."""

    email_hashes: EmailHashes
    trace_links: TraceLinks
    trace_store: TraceStore
    #: Base URLs of the watched services, by name.
    service_urls: Mapping[str, str]
    services: ServicesClient
    sessions: Sessions


def _provide(read: Callable[[Dependencies], object]) -> Callable[[Request], Awaitable[object]]:
    """A FastAPI dependency that reads a value from `Dependencies`."""

    async def provide(request: Request) -> object:
        return read(request.app.state.dependencies)

    return provide


Hashes = Annotated[EmailHashes, Depends(_provide(lambda uses: uses.email_hashes))]
Traces = Annotated[TraceLinks, Depends(_provide(lambda uses: uses.trace_links))]
Spans = Annotated[TraceStore, Depends(_provide(lambda uses: uses.trace_store))]
ServiceUrls = Annotated[Mapping[str, str], Depends(_provide(lambda uses: uses.service_urls))]
Services = Annotated[ServicesClient, Depends(_provide(lambda uses: uses.services))]
SignedInSessions = Annotated[Sessions, Depends(_provide(lambda uses: uses.sessions))]
