"""Pages that follow an order: one question to the database for all of them together, as long as somebody looks."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator
from uuid import UUID

from notifications.account.store import AccountStore
from shared.supervision import Loop
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
_EVERY_SECONDS = 1.0
_BEAT_SECONDS = 15.0
_MOST_PAGES = 1000
_MOST_OF_ONE = 8


class TooManyPagesError(Exception):
    """So many follow already; this page shows how things stood when it was loaded."""


class OrderFollowers:
    """Who follows which order, and what they were told last."""

    def __init__(self, accounts: AccountStore) -> None:
        self._accounts = accounts
        self._pages: dict[UUID, set[asyncio.Queue[str]]] = {}
        self._watched = asyncio.Event()

    async def run(self, loop: Loop) -> None:
        """Look once a second while anybody follows; tell who has not heard yet."""
        told: dict[asyncio.Queue[str], str] = {}
        while True:
            await self._watched.wait()
            states: dict[UUID, str] = {}
            try:
                with loop.step():
                    states = await self._accounts.states(list(self._pages))
            except Exception as error:  # noqa: BLE001 - the pages wait for the next look
                log.warning("look_failed", error=error)
            for order_id, state in states.items():
                for page in self._pages.get(order_id, ()):
                    if told.get(page) != state:
                        told[page] = state
                        page.put_nowait(state)
            alive = {page for pages in self._pages.values() for page in pages}
            told = {page: state for page, state in told.items() if page in alive}
            await asyncio.sleep(_EVERY_SECONDS)

    async def follow(self, order_id: UUID, seen: str, leaving: asyncio.Event) -> AsyncGenerator[str | None, None]:
        """States other than the one `seen`, as they come; None now and then, so that the line stays open.

        Ends when the service is `leaving`. Raises TooManyPagesError.
        """
        with self._page(order_id) as page:
            end = asyncio.create_task(leaving.wait())
            try:
                while not leaving.is_set():
                    news = asyncio.create_task(page.get())
                    done, _ = await asyncio.wait(
                        {news, end}, timeout=_BEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED
                    )
                    if news not in done:
                        news.cancel()
                        yield None
                    elif (state := news.result()) != seen:
                        seen = state
                        yield state
            finally:
                end.cancel()

    @contextlib.contextmanager
    def _page(self, order_id: UUID) -> Iterator["asyncio.Queue[str]"]:
        others = self._pages.get(order_id, set())
        if len(others) >= _MOST_OF_ONE or sum(map(len, self._pages.values())) >= _MOST_PAGES:
            raise TooManyPagesError
        page: asyncio.Queue[str] = asyncio.Queue()
        self._pages.setdefault(order_id, set()).add(page)
        self._watched.set()
        try:
            yield page
        finally:
            self._pages[order_id].discard(page)
            if not self._pages[order_id]:
                del self._pages[order_id]
            if not self._pages:
                self._watched.clear()
