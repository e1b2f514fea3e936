"""The broker's settings, each with the reason it differs from Kafka's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local_stack.kafka_login import ADMIN
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


@dataclass(frozen=True)
class Node:
    """Which broker of a cluster this is. `voters`: the controllers of all of them, as Kafka's setting wants them."""

    number: int
    voters: str
    cluster: str


@dataclass(frozen=True)
class Listeners:
    """Where the broker listens on loopback, and whom it lets in.

    With a `password` (the admin's) clients at `port` sign in and may do what their ACLs say; at `open_port`, if there
    is one, nobody is asked and everything is allowed. Without a password `port` is such a port. Clients of `port` are
    sent to `advertised_port`, where a proxy may stand.
    """

    port: int
    controller_port: int
    password: str | None = None
    open_port: int | None = None
    advertised_port: int | None = None

    def properties(self) -> dict[str, str]:
        """The settings of listeners and of who may do what."""
        clients = {"OPEN": self.port} if self.password is None else {"CLIENTS": self.port}
        if self.open_port is not None:
            clients["OPEN"] = self.open_port
        internal = next(iter(clients))
        listeners = _addresses(clients)
        protocol = "PLAINTEXT" if self.password is None else "SASL_PLAINTEXT"
        return {
            "listeners": f"{listeners},CONTROLLER://{LOOPBACK}:{self.controller_port}",
            "advertised.listeners": _addresses({**clients, internal: self.advertised_port or self.port}),
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": internal,
            "listener.security.protocol.map": f"OPEN:PLAINTEXT,CLIENTS:SASL_PLAINTEXT,CONTROLLER:{protocol}",
            **({} if self.password is None else self._rights(self.password)),
        }

    def _rights(self, password: str) -> dict[str, str]:
        # PLAIN knows the admin alone: it creates the other users at a broker that has none.
        plain = (
            "org.apache.kafka.common.security.plain.PlainLoginModule required "
            f'username="{ADMIN}" password="{password}" user_{ADMIN}="{password}";'
        )
        supers = [ADMIN] if self.open_port is None else [ADMIN, "ANONYMOUS"]
        return {
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": ";".join(f"User:{name}" for name in supers),
            "sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
            "sasl.mechanism.inter.broker.protocol": "PLAIN",
            "sasl.mechanism.controller.protocol": "PLAIN",
            "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.controller.plain.sasl.jaas.config": plain,
            "listener.name.clients.plain.sasl.jaas.config": plain,
            "listener.name.clients.scram-sha-512.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
        }


def _addresses(ports: Mapping[str, int]) -> str:
    return ",".join(f"{name}://{LOOPBACK}:{port}" for name, port in ports.items())


def server_properties(
    data: Path, listeners: Listeners, extra: Mapping[str, str], node: Node | None = None
) -> dict[str, str]:
    """The contents of server.properties for a broker that is a controller too, alone or as a `node`; `extra` wins."""
    return {
        "process.roles": "broker,controller",
        "node.id": str(node.number) if node else "1",
        "controller.quorum.voters": node.voters if node else f"1@{LOOPBACK}:{listeners.controller_port}",
        **listeners.properties(),
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
    """Write settings as a Java properties file that only this user may read: there may be a password in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
