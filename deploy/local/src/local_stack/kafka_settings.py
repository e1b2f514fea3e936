"""The broker's settings, each with the reason it differs from Kafka's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local_stack.ports import LOOPBACK


@dataclass(frozen=True)
class BrokerProfile:
    """How much of the machine the broker's Java runtime may use."""

    jvm_flags: tuple[str, ...]


SMALL = BrokerProfile(("-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"))
"""Starts in a second and stays small: for development and tests."""

MANY_TOPICS = BrokerProfile(("-Xms256m", "-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"))
"""For a run of a thousand tests, each with topics of its own."""

BENCH = BrokerProfile(("-Xms512m", "-Xmx1g", "-XX:+UseSerialGC"))
"""With the optimising compiler: slower to warm up, faster in the long run, for measurements."""


def server_properties(data: Path, port: int, controller_port: int, extra: Mapping[str, str]) -> dict[str, str]:
    """The contents of server.properties for one broker that is its own controller; `extra` wins."""
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(data),
        # One broker: there is nobody to replicate to.
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "offsets.topic.num.partitions": "4",
        # A topic that nobody created is a mistake, not a wish.
        "auto.create.topics.enable": "false",
        "delete.topic.enable": "true",
        # After a stop or a kill the broker must outwait its own old session: 12 s by default.
        "broker.session.timeout.ms": "1500",
        "broker.heartbeat.interval.ms": "300",
        # Consumers start at once, and tests may ask for short sessions.
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        # Small files and buffers: many short-lived topics, little memory.
        "log.cleaner.dedupe.buffer.size": "4194304",
        "log.segment.bytes": "268435456",
        "log.index.size.max.bytes": "1048576",
        "log.segment.delete.delay.ms": "1000",
        "num.network.threads": "2",
        "num.io.threads": "4",
        **extra,
    }


def write_properties(path: Path, settings: Mapping[str, str]) -> None:
    """Write settings as a Java properties file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
