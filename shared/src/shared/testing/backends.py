"""Where tests find Kafka and Postgres: containers where a Docker engine answers, the local stack otherwise."""

import os
import socket
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Backends:
    """`postgres` is a libpq URL of a superuser without a database name."""

    kafka: str
    postgres: str


@cache
def backends() -> Backends:
    """Kafka and Postgres for this test run; started once, shared by all its workers."""
    if os.environ.get("TEST_BACKEND", "auto") != "local" and _docker_answers():
        return _containers()
    from local_stack.infra import shared_infra  # noqa: PLC0415 - a deploy package, only needed here

    infra = shared_infra()
    return Backends(infra.bootstrap_servers, infra.postgres_admin_url.rpartition("/")[0])


def _docker_answers() -> bool:
    """Whether an engine listens; asked by hand, because Docker's client leaks its socket when none does."""
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not host.startswith("unix://"):
        return True
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        try:
            probe.connect(host.removeprefix("unix://"))
        except OSError:
            return False
    return True


def _containers() -> Backends:
    from testcontainers.kafka import KafkaContainer  # noqa: PLC0415 - only where Docker is
    from testcontainers.postgres import PostgresContainer  # noqa: PLC0415 - only where Docker is

    kafka = KafkaContainer("apache/kafka:4.1.0").start()
    postgres = PostgresContainer("postgres:17", driver=None).start()
    return Backends(kafka.get_bootstrap_server(), postgres.get_connection_url().rpartition("/")[0])
