"""One object with all questions, for the API and the pages."""

from collections.abc import Mapping
from uuid import UUID

from operations.clients.trace_store import Spans
from operations.hashes import EmailHashes
from operations.invariants import store as invariants
from operations.orders import store as orders
from operations.orders.store import Search
from operations.refused_refunds import store as refunds
from operations.services import store as services
from operations.views import InvariantDetail, InvariantView, OrderLine, OrderView, Overview, RefusedRefunds, ServiceView
from shared.database import Database
from shared.telemetry.trace_links import TraceLinks


class Reading:
    """Everything that may be asked. Each method is one reading transaction; nothing is changed."""

    def __init__(
        self, database: Database, hashes: EmailHashes, trace_links: TraceLinks, spans: Spans, urls: Mapping[str, str]
    ) -> None:
        self._database = database
        self._hashes = hashes
        self._trace_links = trace_links
        self._spans = spans
        self._urls = urls

    async def search(self, wanted: Search) -> list[OrderLine]:
        """The orders that match, the newest first, at most 50."""
        async with self._database.reading() as tx:
            return await orders.search(tx, wanted, self._hashes)

    async def order(self, order_id: UUID, *, with_spans: bool = False) -> OrderView | None:
        """Everything that is known of an order; None where nothing is.

        `with_spans` asks the trace store (at most two seconds) and merges the steps of the order's traces into the
        timeline; where that fails, `spans_problem` says why.
        """
        async with self._database.reading() as tx:
            found = await orders.order(tx, order_id, self._trace_links)
        if found is None or not with_spans:
            return found
        return await self._spans.merged(found)

    async def refused_refunds(self) -> RefusedRefunds:
        """Refunds that the bank refused and that wait for a person."""
        async with self._database.reading() as tx:
            return await refunds.refused(tx)

    async def overview(self) -> Overview:
        """How much is known, and whether all is well."""
        async with self._database.reading() as tx:
            return await invariants.overview(tx)

    async def invariants(self) -> list[InvariantView]:
        """All invariants as they stand."""
        async with self._database.reading() as tx:
            return await invariants.every(tx)

    async def invariant(self, name: str) -> InvariantDetail | None:
        """One invariant with what is wrong; None for an unknown name."""
        async with self._database.reading() as tx:
            return await invariants.one(tx, name)

    async def services(self) -> list[ServiceView]:
        """The services that are watched, as they answered last."""
        async with self._database.reading() as tx:
            return await services.every(tx, self._urls)
