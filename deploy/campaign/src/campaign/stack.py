"""A local stack whose parts reach Kafka, Postgres and the companies outside through proxies."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Self

from local_stack.component import RunningComponent
from local_stack.kafka import Kafka
from local_stack.kafka_cluster import KafkaCluster
from local_stack.kafka_login import ADMIN
from local_stack.ports import free_port
from local_stack.postgres import Postgres
from local_stack.postgres_pair import PostgresPair
from local_stack.product import OPERATIONS, PRODUCT, Component
from local_stack.site import Site
from local_stack.stack import Stack
from shared.testing.proxy import Proxy

#: What stands behind a proxy, by the name of its port; behind `kafka-2` and so on further brokers and servers.
BEHIND = ("kafka", "postgres", "sandbox", "smtp")
BROKERS, STANDBY = ("kafka-2", "kafka-3"), ("postgres-2",)
#: Whatever else goes on, and on a machine that is busy with other things.
_START_SECONDS = 180.0
#: A local broker takes itself for dead after 1.5 s without a heartbeat, which a busy machine keeps from it.
_BROKER = {"broker.session.timeout.ms": "6000"}
#: Short pauses, so that timers are at work within minutes; the mechanisms are those of production.
_HURRIED: Mapping[str, Mapping[str, str]] = {
    "*": {"CONSUMER_SESSION_SECONDS": "6"},
    "payments": {
        "POLL_FIRST_SECONDS": "5",
        "POLL_LONGEST_SECONDS": "20",
        "CHECK_FIRST_SECONDS": "0.2",
        "EPAY_TIMEOUT_SECONDS": "3",
        "WEBKASSA_TIMEOUT_SECONDS": "5",
        "CHORE_SECONDS": "5",
    },
    "provisioning": {"WATCH_SECONDS": "1", "OPERATOR_TIMEOUT_SECONDS": "3"},
    "refunds": {"OBSERVATION_RETRY_SECONDS": "1"},
    "notifications": {"SMTP_TIMEOUT_SECONDS": "5", "SMTP_FINAL_TIMEOUT_SECONDS": "10"},
    "sandbox": {
        "SANDBOX_WEBHOOK_FIRST_RETRY_SECONDS": "0.5",
        "SANDBOX_WEBHOOK_LONGEST_RETRY_SECONDS": "5",
        "SANDBOX_WEBHOOK_ATTEMPTS": "200",
        "SANDBOX_AIRALO_TOKENS_PER_MINUTE": "1000",
    },
}


def _hurried(*, cluster: bool) -> Mapping[str, Mapping[str, str]]:
    replicas = {"TOPIC_REPLICATION": "3"} if cluster else {}
    return {**_HURRIED, "*": {**_HURRIED["*"], **replicas}}


class CampaignStack(Stack):
    """`proxies` by what stands behind them. They are to be started before the stack is.

    `cluster`: three brokers instead of one. `standby`: the database server has a synchronous one.
    """

    def __init__(
        self,
        name: str,
        *,
        directory: Path | None = None,
        beneath: Path | None = None,
        cluster: bool = False,
        standby: bool = False,
    ) -> None:
        # The page of operations judges by what the services publish; the campaign by the ledgers outside.
        components = [
            # On ports of its own: a port that everybody knows may be somebody else's while its service is away.
            replace(component, start_seconds=_START_SECONDS, preferred_port=None)
            for component in PRODUCT
            if component != OPERATIONS
        ]
        super().__init__(
            name,
            environment=_hurried(cluster=cluster),
            fresh=True,
            components=components,
            directory=directory,
            beneath=beneath,
            broker_settings=_BROKER,
        )
        self.cluster, self.standby = cluster, standby
        self.further_ports = (*(BROKERS if cluster else ()), *(STANDBY if standby else ()))
        for part in {*BROKERS, *STANDBY} - set(self.further_ports):
            self.state.ports.pop(part, None)  # of an earlier run in this folder
        self.proxies = {part: Proxy(self._port_of(part)) for part in (*BEHIND, *self.further_ports)}

    def _port_of(self, part: str) -> Callable[[], int]:
        return lambda: self.state.ports[part]

    def seen_by(self, name: str) -> Site:
        """With the proxies' ports in place of those behind them; the companies outside see the site as it is."""
        site = super().seen_by(name)
        if name == "sandbox":
            return site
        ports = site.ports | {part: proxy.port for part, proxy in self.proxies.items()}
        return replace(site, ports=ports, databases={name: self._past(url) for name, url in site.databases.items()})

    def _past(self, url: str) -> str:
        """The URL of one server (`:port/`) or of two (`port=one,two`), with the proxies' ports."""
        proxies = {str(self.state.ports[part]): str(self.proxies[part].port) for part in self.proxies_of("postgres")}
        return re.sub(r"(?<=[:=,])\d+(?=[/,&])", lambda port: proxies.get(port[0], port[0]), url)

    def proxies_of(self, target: str) -> list[str]:
        """The proxies before all servers of that kind: `kafka` has `kafka-2` with it."""
        return [part for part in self.proxies if part == target or part.startswith(f"{target}-")]

    @property
    def brokers(self) -> list[str]:
        """The parts that are one broker each."""
        return ["kafka-1", "kafka-2", "kafka-3"] if self.cluster else ["kafka"]

    def _kafka(self) -> Kafka | KafkaCluster:
        if not self.cluster:
            return super()._kafka()
        names = self.proxies_of("kafka")
        cluster = KafkaCluster(
            self.directory / "kafka",
            password=self.state.kafka_passwords[ADMIN],
            size=len(names),
            ports=[self.state.ports[name] for name in names],
            advertised_ports=[self.proxies[name].port for name in names],
            extra_settings=_BROKER,
            logs=self.directory / "logs",
        )
        self.parts |= dict(zip(self.brokers, cluster.nodes, strict=True))
        return cluster

    def _postgres(self) -> Postgres | PostgresPair:
        if not self.standby:
            return super()._postgres()
        ports = (self.state.ports["postgres"], self.state.ports["postgres-2"])
        return PostgresPair(self.directory / "postgres", ports, beneath=self._beneath, log=self.log("postgres"))

    @property
    def services(self) -> list[str]:
        """Those with a database."""
        return [component.name for component in self.components if component.has_database]

    def component(self, name: str) -> Component:
        """The component of that name."""
        return next(component for component in self.components if component.name == name)

    def second(self, name: str, **changes: str) -> RunningComponent:
        """Another instance of a service, on a port of its own; others know the first one's address alone."""
        site = self.seen_by(name)
        port = free_port()
        component = self.component(name)
        settings = {key: value for key, value in component.environment(site).items() if key != "HTTP_PORT"}
        settings_of = _hurried(cluster=self.cluster)
        hurried = {**settings_of["*"], **settings_of.get(name, {})}
        traces = {"TRACE_FILE": str(self.directory / "traces" / f"{name}-2.jsonl")}
        return RunningComponent(
            component, replace(site, ports={**site.ports, name: port}), {**settings, **hurried, **traces, **changes}
        )

    async def __aenter__(self) -> Self:
        """Start the proxies, then everything."""
        for proxy in self.proxies.values():
            await proxy.start()
        try:
            await self.up()
        except BaseException:
            await self._stop_proxies()
            raise
        return self

    async def down(self) -> None:
        """Stop everything, then the proxies."""
        try:
            await super().down()
        finally:
            await self._stop_proxies()

    async def _stop_proxies(self) -> None:
        for proxy in self.proxies.values():
            await proxy.stop()
