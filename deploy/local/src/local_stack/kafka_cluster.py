"""Several brokers as on servers of their own: what is acknowledged is on two of three, and one of them may be lost."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from local_stack.access import Access
from local_stack.kafka import Kafka, random_id
from local_stack.kafka_login import KafkaLogin
from local_stack.kafka_rights import grant
from local_stack.kafka_settings import SMALL, BrokerProfile, Node
from local_stack.ports import LOOPBACK, free_ports


class KafkaCluster:
    """Brokers that are controllers too, each with its data in a folder of `directory`; `nodes` can be killed singly.

    Topics have a replica on each, and a write is acknowledged when all but one have it (`min.insync.replicas`).
    `password`: the admin's, as of `Kafka`. `ports`: the brokers' own, and `advertised_ports`: where proxies stand
    before them, for clients and for the other brokers.
    """

    def __init__(
        self,
        directory: Path,
        *,
        password: str,
        size: int = 3,
        profile: BrokerProfile = SMALL,
        ports: Sequence[int] | None = None,
        advertised_ports: Sequence[int] | None = None,
        extra_settings: Mapping[str, str] | None = None,
        logs: Path | None = None,
    ) -> None:
        controllers = free_ports(size)
        voters = ",".join(f"{number}@{LOOPBACK}:{port}" for number, port in enumerate(controllers, 1))
        cluster = random_id()
        all_but_one = str(max(1, size - 1))
        settings = {
            "default.replication.factor": str(size),
            "min.insync.replicas": all_but_one,
            "offsets.topic.replication.factor": str(size),
            "transaction.state.log.replication.factor": str(size),
            "transaction.state.log.min.isr": all_but_one,
            "share.coordinator.state.topic.replication.factor": str(size),
            "share.coordinator.state.topic.min.isr": all_but_one,
            **(extra_settings or {}),
        }
        self.replicas = size
        self.nodes = [
            Kafka(
                directory / f"node-{number}",
                port=ports[number - 1] if ports else None,
                advertised_port=advertised_ports[number - 1] if advertised_ports else None,
                controller_port=port,
                password=password,
                profile=profile,
                extra_settings=settings,
                node=Node(number, voters, cluster),
                log=(logs or directory) / f"kafka-{number}.log",
            )
            for number, port in enumerate(controllers, 1)
        ]

    @property
    def bootstrap_servers(self) -> str:
        """What clients connect to: all brokers, so that a client finds the cluster while one of them is down."""
        return ",".join(node.bootstrap_servers for node in self.nodes)

    @property
    def pid(self) -> int | None:
        """The first broker's process id while it runs."""
        return self.nodes[0].pid

    @property
    def running(self) -> bool:
        """Whether all brokers' processes exist."""
        return all(node.running for node in self.nodes)

    @property
    def admin(self) -> KafkaLogin:
        """The super user."""
        one = self.nodes[0].admin
        return KafkaLogin(self.bootstrap_servers, one.username, one.password)

    async def grant(self, access: Access, passwords: Mapping[str, str], *, prefix: str = "") -> None:
        """Make these users, with these passwords and just these rights. Raises LocalStackError."""
        await asyncio.to_thread(grant, self.admin, access, passwords, prefix=prefix)

    async def start(self) -> None:
        """Start all brokers that do not run, and wait until each answers. Raises as `Kafka.start`."""
        await asyncio.gather(*(node.start() for node in self.nodes))

    async def stop(self) -> None:
        """End all brokers in their own time."""
        await asyncio.gather(*(node.stop() for node in self.nodes))

    def kill(self) -> None:
        """`kill -9` for all."""
        for node in self.nodes:
            node.kill()

    def pause(self) -> None:
        """Freeze all brokers."""
        for node in self.nodes:
            node.pause()

    def resume(self) -> None:
        """Let all brokers go on."""
        for node in self.nodes:
            node.resume()
