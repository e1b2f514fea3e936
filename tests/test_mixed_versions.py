"""Services of different releases side by side: nobody has to deploy at the same time as anybody else.

Each service in turn runs as it was last released (its code and its `shared` of then) among the others as they are now,
and the reverse, all of it on the databases of now. Orders keep coming while a service is being exchanged.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence

import pytest

from product.faults import NO_SUCH_PROFILE
from product.harness import Running
from product.running import NAMES
from product.shop import Order
from release.history import NoHistoryError, export, last_release, python_path

WHERE = "import importlib, sys; print(*(importlib.import_module(name).__file__ for name in ('shared', sys.argv[1])))"


class Fleet:
    """The running product, with a choice of release for each service."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._released = {name: export(last_release(name).commit) for name in NAMES}
        self._old: set[str] = set()

    async def become(self, old: Sequence[str]) -> None:
        """These services as last released, all others as they are here; only those that change are restarted."""
        changing = sorted(self._old.symmetric_difference(old))
        await asyncio.gather(*(self._exchange(name, old=name in old) for name in changing))
        self._old = set(old)

    async def _exchange(self, name: str, *, old: bool) -> None:
        process = self._running.product.services[name]
        await process.stop()
        process.environment["PYTHONPATH"] = os.environ.get("PYTHONPATH", "")
        if old:
            process.environment["PYTHONPATH"] = python_path(self._released[name], name)
            await self._is_the_released_code(name, process.environment)
        process.start()
        await self._running.product.ready(name)

    async def _is_the_released_code(self, name: str, environment: dict[str, str]) -> None:
        asked = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WHERE, name, env=environment, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await asked.communicate()
        files = output.decode().split()
        assert len(files) == 2
        assert all(file.startswith(str(self._released[name]) + os.sep) for file in files), files

    async def serves(self, old: Sequence[str]) -> None:
        """One order delivered, ordered while services are exchanged, and one refunded: by the books of the outside."""
        running = self._running
        await running.judge.begin()
        placed = await running.shop.place()
        await asyncio.gather(self.become(old), running.shop.pay(placed))
        [profile] = await running.judge.delivered([placed])
        await running.sandbox.faults(NO_SUCH_PROFILE)
        failed: Order = await running.shop.buy()
        await running.judge.refunded([failed], beside=[profile])
        await running.sandbox.clear_faults()


@pytest.fixture
async def fleet(running: Running) -> AsyncIterator[Fleet]:
    try:
        made = Fleet(running)
    except NoHistoryError as error:
        pytest.skip(str(error))
    try:
        yield made
    finally:
        await made.become([])


@pytest.mark.long
@pytest.mark.exhaustive
@pytest.mark.timeout(480)
async def test_each_service_at_its_last_release_among_the_others_of_now(fleet: Fleet) -> None:
    for name in NAMES:
        await fleet.serves([name])


@pytest.mark.long
@pytest.mark.exhaustive
@pytest.mark.timeout(480)
async def test_each_service_of_now_among_the_others_at_their_last_release(fleet: Fleet) -> None:
    for name in NAMES:
        await fleet.serves([other for other in NAMES if other != name])
