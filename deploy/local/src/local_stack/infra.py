"""Kafka and Postgres together, for one program (`Infra`) or shared by a whole test run (`shared_infra`)."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from local_stack.kafka import Kafka
from local_stack.kafka_cluster import KafkaCluster
from local_stack.kafka_settings import BENCH, SMALL, BrokerProfile
from local_stack.postgres import Postgres
from local_stack.postgres_databases import Databases
from local_stack.postgres_pair import PostgresPair
from local_stack.shared_infra import SharedInfra, own_this_run, shared_infra

__all__ = [
    "BENCH",
    "SMALL",
    "BrokerProfile",
    "Databases",
    "Infra",
    "Kafka",
    "KafkaCluster",
    "Postgres",
    "SharedInfra",
    "own_this_run",
    "shared_infra",
]


class Infra:
    """A broker and a database server whose data is in `directory`, started together.

    An asynchronous context manager, and a plain one for callers without an event loop. The children
    die with this process; the data stays until somebody removes it.
    """

    def __init__(
        self,
        directory: Path,
        *,
        kafka: Kafka | KafkaCluster | None = None,
        postgres: Postgres | PostgresPair | None = None,
    ) -> None:
        self.directory = directory
        self.kafka: Kafka | KafkaCluster = kafka or Kafka(directory / "kafka", log=directory / "logs" / "kafka.log")
        self.postgres: Postgres | PostgresPair = postgres or Postgres(
            directory / "postgres", log=directory / "logs" / "postgres.log"
        )

    @property
    def bootstrap_servers(self) -> str:
        """What Kafka clients connect to, `host:port`."""
        return self.kafka.bootstrap_servers

    async def start(self) -> None:
        """Start both at once and wait until both answer.

        Raises ComponentFailedError when one does not; the other is stopped again.
        """
        results = await asyncio.gather(self.postgres.start(), self.kafka.start(), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                self.kill()
                raise result

    async def stop(self) -> None:
        """Stop both, at once."""
        await asyncio.gather(self.kafka.stop(), self.postgres.stop())

    def kill(self) -> None:
        """`kill -9` for both."""
        self.kafka.kill()
        self.postgres.kill()

    async def create_databases(self, names: Sequence[str]) -> Databases:
        """A database per name, with a role of that name and an owner; returns the URLs of both."""
        return await self.postgres.create_databases(list(names))

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        await self.stop()

    def __enter__(self) -> Self:
        """Start, from a program without an event loop."""
        asyncio.run(self.start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, from a program without an event loop."""
        asyncio.run(self.stop())
