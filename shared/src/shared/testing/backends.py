"""Kafka and Postgres for tests: containers when a Docker engine answers, otherwise the local stack."""

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import psycopg

from shared.messaging.access import KafkaAccess

_KAFKA_PORT, _POSTGRES_PORT = 9092, 5432
_START_SECONDS = 90


@dataclass(frozen=True)
class Backends:
    """`postgres` is a libpq URL of a superuser without a database name.

    `kafka` is anonymous access with all rights; `secured` is the administrator of the same brokers at a port where
    access rights apply (None: these brokers have none).
    """

    kafka: KafkaAccess
    postgres: str
    secured: KafkaAccess | None = None


@cache
def backends() -> Backends:
    """Kafka and Postgres of this test run. Those of the local stack serve all workers; TEST_BACKEND=local forces it."""
    if os.environ.get("TEST_BACKEND", "auto") != "local" and _docker_answers():
        return _containers()
    from local_stack.infra import shared_infra  # noqa: PLC0415 - a deploy package, only needed here

    infra = shared_infra()
    admin = infra.kafka
    return Backends(
        KafkaAccess(infra.bootstrap_servers),
        infra.postgres_admin_url.rpartition("/")[0],
        KafkaAccess(admin.bootstrap_servers, admin.username, admin.password),
    )


def _docker_answers() -> bool:
    """Whether a Docker engine listens. Docker's own client would leak its socket when none does."""
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
    """Start a broker and a database server for this worker; they stop with it."""
    from confluent_kafka import KafkaException  # noqa: PLC0415 - as above
    from confluent_kafka.admin import AdminClient  # noqa: PLC0415 - as above
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - only where Docker is

    port = _free_port()
    kafka = DockerContainer("apache/kafka:4.1.0").with_bind_ports(_KAFKA_PORT, port).with_envs(**_kafka_settings(port))
    postgres = DockerContainer("postgres:17-bookworm").with_exposed_ports(_POSTGRES_PORT)
    postgres.with_env("POSTGRES_PASSWORD", "test")
    kafka.start()
    postgres.start()
    published = f"{postgres.get_container_host_ip()}:{postgres.get_exposed_port(_POSTGRES_PORT)}"
    found = Backends(KafkaAccess(f"{kafka.get_container_host_ip()}:{port}"), f"postgresql://postgres:test@{published}")
    # Tried by real requests: ports are open, and logs say "ready", before the servers answer.
    _until(lambda: AdminClient(found.kafka.librdkafka()).list_topics(timeout=2), KafkaException)
    _until(lambda: psycopg.connect(f"{found.postgres}/postgres", connect_timeout=2).close(), psycopg.OperationalError)
    return found


def _until(attempt: Callable[[], object], unavailable: type[Exception]) -> None:
    """Try until it succeeds. Raises TimeoutError after 90 seconds."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            attempt()
        except unavailable as error:
            if time.monotonic() > deadline:
                raise TimeoutError("a container did not come up") from error
            time.sleep(0.2)
        else:
            return


def _kafka_settings(port: int) -> dict[str, str]:
    """Settings of one node. Clients connect to the published port, so the broker must advertise it."""
    return {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_LISTENERS": f"PLAINTEXT://:{_KAFKA_PORT},CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://localhost:{port}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "PLAINTEXT",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
