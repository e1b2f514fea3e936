"""What faults are done to, and what is written down of each."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from campaign.receivers import Receivers
from campaign.schedule import Fault
from campaign.traffic import Traffic
from hostile.context import Context
from local_stack.site import Site
from local_stack.stack import Part
from sandbox.client import SandboxClient
from shared.testing.proxy import Proxy


class NotPossibleError(Exception):
    """Raised where the machine lacks what a fault needs. The text names it."""


class Stage(Protocol):
    """The running product that faults are done to: a stack of the campaign's own, or one that tests share."""

    @property
    def directory(self) -> Path:
        """With its logs and traces."""

    @property
    def state(self) -> Site:
        """Ports, keys and database URLs."""

    @property
    def services(self) -> Sequence[str]:
        """The names of those with a database."""

    @property
    def parts(self) -> Mapping[str, Part]:
        """What can be stopped and started, by name."""

    @property
    def proxies(self) -> Mapping[str, Proxy]:
        """Those before brokers, database servers and the companies outside."""

    @property
    def brokers(self) -> Sequence[str]:
        """The parts that are one broker each."""

    def proxies_of(self, target: str) -> Sequence[str]:
        """The names of the proxies before all servers of a kind."""

    def second(self, name: str, **changes: str) -> Part:
        """Another instance of a service."""


@dataclass
class Record:
    """A fault as it happened. `kills`: processes that were killed; `ready_seconds`: from starts to readiness."""

    fault: Fault
    began: datetime
    lifted: datetime | None = None
    kills: int = 0
    ready_seconds: list[float] = field(default_factory=list)
    not_possible: str = ""
    failure: str = ""


@dataclass
class Scene:
    """One running campaign. Whoever stops or starts a part holds its lock."""

    stack: Stage
    sandbox: SandboxClient
    traffic: Traffic
    receivers: Receivers
    hostile: Context
    #: Small file systems of Kafka's and Postgres' own, where there are any.
    disks: dict[str, Path]
    records: list[Record] = field(default_factory=list)
    locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    @asynccontextmanager
    async def holding(self, *parts: str) -> AsyncIterator[None]:
        """Nobody else stops or starts these parts meanwhile."""
        taken = [self.locks.setdefault(part, asyncio.Lock()) for part in sorted(parts)]
        for lock in taken:
            await lock.acquire()
        try:
            yield
        finally:
            for lock in taken:
                lock.release()

    async def start(self, part: str, record: Record) -> None:
        """Start a part and wait until it is ready; a start that another fault spoils is repeated."""
        began = time.monotonic()
        await self.stack.parts[part].start()
        record.ready_seconds.append(time.monotonic() - began)

    async def perform(self, fault: Fault, action: "Perform") -> Record:
        """Do it, and write down how it went."""
        record = Record(fault, datetime.now(UTC))
        self.records.append(record)
        try:
            await action(self, fault, record)
        except NotPossibleError as error:
            record.not_possible = str(error)
        except Exception as error:  # noqa: BLE001 - whatever went wrong is written down, and the campaign goes on
            record.failure = f"{type(error).__name__}: {error}"
        record.lifted = record.lifted or datetime.now(UTC)
        return record


Perform = Callable[[Scene, Fault, Record], Awaitable[None]]


def lifted(record: Record) -> None:
    """From now on the product may recover."""
    record.lifted = datetime.now(UTC)
