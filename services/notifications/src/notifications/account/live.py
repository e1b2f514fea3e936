"""Sends changes of orders to open account pages: one query a second for all of them, while any page is open."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator
from uuid import UUID

from notifications.account.store import AccountStore
from shared.supervision import Loop
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
_QUERY_SECONDS = 1.0
_KEEP_ALIVE_SECONDS = 15.0
_MAX_PAGES = 1000
_MAX_PAGES_OF_AN_ORDER = 8


class TooManyPagesError(Exception):
    """The limit of open pages is reached; this page stays as it was loaded."""


class OrderFollowers:
    """The open pages by order, each with a queue of the states to show."""

    def __init__(self, accounts: AccountStore) -> None:
        self._accounts = accounts
        self._pages: dict[UUID, set[asyncio.Queue[str]]] = {}
        self._any_page = asyncio.Event()

    async def run(self, loop: Loop) -> None:
        """Read the states once a second while any page is open, and send them to the pages that have older ones."""
        sent: dict[asyncio.Queue[str], str] = {}
        while True:
            await self._any_page.wait()
            states: dict[UUID, str] = {}
            try:
                with loop.step():
                    states = await self._accounts.states(list(self._pages))
            except Exception as error:  # noqa: BLE001 - the pages wait for the next query
                log.warning("order_states_not_read", error=error)
            for order_id, state in states.items():
                for page in self._pages.get(order_id, ()):
                    if sent.get(page) != state:
                        sent[page] = state
                        page.put_nowait(state)
            open_pages = {page for pages in self._pages.values() for page in pages}
            sent = {page: state for page, state in sent.items() if page in open_pages}
            await asyncio.sleep(_QUERY_SECONDS)

    async def follow(self, order_id: UUID, seen: str, leaving: asyncio.Event) -> AsyncGenerator[str | None, None]:
        """Yields each new state other than `seen`, and None every 15 s, so that proxies keep the connection open.

        Ends when the service stops (`leaving`). Raises TooManyPagesError.
        """
        with self._page(order_id) as page:
            stopping = asyncio.create_task(leaving.wait())
            try:
                while not leaving.is_set():
                    change = asyncio.create_task(page.get())
                    done, _ = await asyncio.wait(
                        {change, stopping}, timeout=_KEEP_ALIVE_SECONDS, return_when=asyncio.FIRST_COMPLETED
                    )
                    if change not in done:
                        change.cancel()
                        yield None
                    elif (state := change.result()) != seen:
                        seen = state
                        yield state
            finally:
                stopping.cancel()

    @contextlib.contextmanager
    def _page(self, order_id: UUID) -> Iterator["asyncio.Queue[str]"]:
        siblings = self._pages.get(order_id, set())
        if len(siblings) >= _MAX_PAGES_OF_AN_ORDER or sum(map(len, self._pages.values())) >= _MAX_PAGES:
            raise TooManyPagesError
        page: asyncio.Queue[str] = asyncio.Queue()
        self._pages.setdefault(order_id, set()).add(page)
        self._any_page.set()
        try:
            yield page
        finally:
            self._pages[order_id].discard(page)
            if not self._pages[order_id]:
                del self._pages[order_id]
            if not self._pages:
                self._any_page.clear()
