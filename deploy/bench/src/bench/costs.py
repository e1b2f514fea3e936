"""What an order costs each service: processor time, calls, statements, round trips, and bytes on topics.

Measured in this process (chain.py). Counts do not depend on the load of the machine; processor time does so only a
little. Postgres' own time is not part of it.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from sqlalchemy import event

from bench.chain import STEPS, Chain, Step, started
from shared.kernel.service import Service

#: psycopg prepares a statement when it executes it for the sixth time.
_WARM_UP, _WARM_UP_ORDERS = 6, 10
_STATEMENTS = ("\tExecute\t", "\tQuery\t")
#: What reads JSON: pydantic in C, and the standard library, which psycopg uses for columns.
_PARSERS, _LOADS = {"validate_json", "from_json"}, json.loads.__code__
_ROUND_TRIP = "\tReadyForQuery\t"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a step costs: `statements` (with BEGIN and COMMIT) and `round_trips` of a whole batch, the rest per order.

    `calls`: of functions, in Python and in C. `parses`: JSON documents that were read.
    """

    cpu_us: float
    calls: float
    parses: float
    statements: int
    round_trips: int
    log_bytes: float


async def measure(new_database: Callable[[str], str], *, orders: int, rounds: int, count: bool) -> Mapping[Step, Cost]:
    """The cost of each step for batches of so many orders: the least of all rounds, since others only add to it.

    `count`: calls, statements and round trips are counted, which takes time; else processor time is measured.
    """
    with tempfile.TemporaryDirectory() as name, ExitStack() as files:
        folder = Path(name)
        meter = _Counter(folder, files) if count else _Clock()
        async with started(new_database, folder, meter.watch) as chain:
            measured: dict[Step, list[Cost]] = {step: [] for step in STEPS}
            for _ in range(_WARM_UP):
                await chain.submit(_WARM_UP_ORDERS)
                for step in STEPS:
                    await chain.step(step)
            for _ in range(rounds):
                await chain.submit(orders)
                for step in STEPS:
                    measured[step].append(await _cost(chain, step, orders, meter))
    return {step: _least(costs) for step, costs in measured.items()}


async def _cost(chain: Chain, step: Step, orders: int, meter: "_Clock | _Counter") -> Cost:
    written = chain.log.size
    with meter.of(step) as cost:
        records = await chain.step(step)
    if records != orders:
        raise LookupError(f"{step[0]} read {records} records of {step[1]}, not {orders}")
    cpu, calls, parses, statements, round_trips = cost
    size = chain.log.size - written
    return Cost(cpu * 1e6 / orders, calls / orders, parses / orders, statements, round_trips, size / orders)


def _least(costs: Sequence[Cost]) -> Cost:
    return Cost(*map(min, zip(*map(astuple, costs), strict=True)))


class _Clock:
    """Measures processor time."""

    def watch(self, service: Service) -> None:
        """Nothing: the time is that of this process."""

    @contextmanager
    def of(self, _step: Step) -> Iterator[list[Any]]:
        """Around one step; the list is filled at its end: seconds, calls, parses, statements, round trips."""
        cost: list[Any] = []
        began = time.process_time()
        yield cost
        cost += [time.process_time() - began, 0, 0, 0, 0]


class _Counter:
    """Counts calls by a profile function, and what goes to Postgres by libpq's own trace."""

    def __init__(self, folder: Path, files: ExitStack) -> None:
        self._folder = folder
        #: Open as long as a connection writes to them.
        self._files = files

    def watch(self, service: Service) -> None:
        """Have libpq write all messages of this service's connections to a file."""

        @event.listens_for(service.database.engine.sync_engine, "connect")
        def connected(connection: Any, _record: object) -> None:
            file = self._files.enter_context(self._wire(service.name).open("ab"))
            connection.driver_connection.pgconn.trace(file.fileno())

    def _wire(self, name: str) -> Path:
        return self._folder / f"{name}.wire"

    @contextmanager
    def of(self, step: Step) -> Iterator[list[Any]]:
        """As that of `_Clock`."""
        cost: list[Any] = []
        calls = parses = 0

        def called(frame: FrameType, what: str, function: Any) -> None:
            nonlocal calls, parses
            if what == "c_call":
                calls += 1
                parses += function.__name__ in _PARSERS
            elif what == "call":
                calls += 1
                parses += frame.f_code is _LOADS

        path = self._wire(step[0])
        path.write_text("", encoding="utf-8")
        sys.setprofile(called)
        try:
            yield cost
        finally:
            sys.setprofile(None)
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        statements = sum(any(word in line for word in _STATEMENTS) for line in lines)
        cost += [0.0, calls, parses, statements, sum(_ROUND_TRIP in line for line in lines)]
