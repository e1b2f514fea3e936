"""Five services and the sandbox as operating system processes, on servers and databases of the test's choice."""

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import LiteralString

import psycopg
from confluent_kafka.admin import AdminClient, ConfigResource  # type: ignore[attr-defined] # not in its __all__

from local_stack.http_probe import answers_ok
from local_stack.paths import shop_names
from local_stack.ports import free_ports
from local_stack.processes import ManagedProcess
from local_stack.product import AGENTS, SANDBOX, SERVICES, Component
from local_stack.site import Site
from product.forked import process_of
from shared.contracts import orders_topic, updates_topic
from shared.messaging.access import KafkaAccess
from shared.messaging.topics import create_topics
from shared.testing.documents import Row
from shared.testing.shops import copied, with_deadline
from shared.testing.stage import known_topics

NAMES = tuple(service.name for service in SERVICES)
#: Six processes start at once, and so they do in the other workers.
READY_SECONDS = 120.0
OPERATOR_TIMEOUT_SECONDS = 2
#: The reseller cannot tell repetitions: a call given up too early on a busy machine is an order at another operator.
RESELLER_TIMEOUT_SECONDS = 10
#: The shop whose buyers do not wait for the operator.
IMPATIENT_SHOP = "e-sim-onl"
DELIVERY_SECONDS = 2
#: Short pauses, so that a test sees a timer at work.
HURRY: Mapping[str, Mapping[str, str]] = {
    "payments": {"POLL_FIRST_SECONDS": "5", "CHECK_FIRST_SECONDS": "0.1", "EPAY_TIMEOUT_SECONDS": "2"},
    "provisioning": {"WATCH_SECONDS": "0.5"},
    "refunds": {"OBSERVATION_RETRY_SECONDS": "1"},
    "notifications": {"SMTP_TIMEOUT_SECONDS": "5", "SMTP_FINAL_TIMEOUT_SECONDS": "5"},
    "sandbox": {
        "SANDBOX_DATA_DIR": "",
        "SANDBOX_WEBHOOK_FIRST_RETRY_SECONDS": "0.2",
        "SANDBOX_WEBHOOK_LONGEST_RETRY_SECONDS": "1",
        "SANDBOX_WEBHOOK_ATTEMPTS": "100",
        "SANDBOX_AIRALO_TOKENS_PER_MINUTE": "1000",
    },
}


#: Timers are no work to wait for: deadlines that are hours and days away, and what was planned minutes ahead and has
#: not been tried (another look at a case of an earlier test) until its time has come. The bank is asked for hours about
#: an attempt at which nobody paid.
_LEFT = """
SELECT 'outbox ' || topic FROM outbox
UNION ALL SELECT concat_ws(' ', 'work', kind, state, last_error) FROM work
  WHERE kind NOT IN ('clear_sessions', 'derive_statuses', 'watch_orders', 'watch_expiry', 'watch_plan')
  AND NOT (state = 'due' AND due_at > now() + interval '2 minutes')
  AND NOT (state = 'due' AND due_at > now() AND last_error IS NULL AND due_at > created_at + interval '2 minutes')
  AND NOT (kind = 'poll' AND state = 'due' AND due_at > now() AND last_error = 'the bank says not_found')
UNION ALL SELECT concat_ws(' ', 'dead letter', topic, reason, detail) FROM dead_letters d
  WHERE coalesce(to_jsonb(d)->>'state', 'waiting') = 'waiting' -- an earlier release's table has no states
"""


def shortest_session(kafka: KafkaAccess) -> float:
    """How soon this broker gives a killed consumer's partitions to another, in seconds."""
    admin = AdminClient(kafka.librdkafka())
    broker = ConfigResource(ConfigResource.Type.BROKER, str(min(admin.list_topics(timeout=20).brokers)))
    found = admin.describe_configs([broker])[broker].result(20)
    return max(2.0, int(found["group.min.session.timeout.ms"].value) / 1000)


class Product:
    """`services` by name and `sandbox` are processes that a test may kill, freeze and start again.

    `shops` is a folder of shops other than a copy of the repository's, in which one is impatient. `kafka` may do
    everything, for the test's own hands; services come as themselves (`users`, where brokers ask). `replicas`: of each
    topic.
    """

    def __init__(
        self,
        directory: Path,
        kafka: KafkaAccess,
        databases: Mapping[str, str],
        prefix: str,
        users: Mapping[str, KafkaAccess],
        shops: Path | None = None,
        *,
        replicas: int = 1,
    ) -> None:
        if shops is None:
            shops = with_deadline(copied(directory / "shops"), IMPATIENT_SHOP, "delivery_seconds", DELIVERY_SECONDS)
        self.site = Site(directory, shops=shops, databases=dict(databases))
        self.storefronts = shop_names(self.site.shops)
        self.site.invent_secrets(NAMES, self.storefronts, AGENTS)
        self.site.ports = dict(zip([*NAMES, "sandbox", "smtp"], free_ports(len(NAMES) + 2), strict=True))
        self.kafka = kafka
        self.users = users
        self.prefix = prefix
        self._replicas = replicas
        self._session_seconds = shortest_session(kafka)
        self.sandbox = self._process(SANDBOX)
        self.services = {service.name: self._process(service) for service in SERVICES}

    def url(self, name: str) -> str:
        return self.site.url(name)

    def trace_file(self, name: str) -> Path:
        return self.site.directory / "traces" / f"{name}.jsonl"

    def log_text(self, name: str) -> str:
        return self.site.log(name).read_text(errors="replace")

    def second(self, name: str) -> ManagedProcess:
        """Another instance of a service, on a port and with a log of its own."""
        component = next(service for service in SERVICES if service.name == name)
        port = free_ports(1)[0]
        process = self._process(replace(component, name=name), log=self.site.directory / "logs" / f"{name}-2.log")
        process.environment |= {"HTTP_PORT": str(port), "TRACE_FILE": str(self.trace_file(f"{name}-2"))}
        return process

    def beside(self, component: Component) -> ManagedProcess:
        """Another component, for the test to start and stop; its port and its database are the site's."""
        return self._process(component)

    async def start(self) -> None:
        """Start everything and wait until all of it is ready."""
        await asyncio.to_thread(
            create_topics,
            self.kafka,
            [*known_topics(), *map(orders_topic, self.storefronts), *map(updates_topic, self.storefronts)],
            prefix=self.prefix,
            partitions=2,
            replication=self._replicas,
        )
        self.sandbox.start()
        for service in self.services.values():
            service.start()
        port = self.site.ports["sandbox"]
        await self.sandbox.wait_ready(lambda: answers_ok(port, "/health"), READY_SECONDS, port=port)
        await asyncio.gather(*(self.ready(name) for name in NAMES))

    async def ready(self, name: str) -> None:
        """Wait until a service says that it is ready: it serves, consumes, and reaches its database."""
        port = int(self.services[name].environment["HTTP_PORT"])
        await self.services[name].wait_ready(lambda: answers_ok(port, "/health/ready"), READY_SECONDS, port=port)

    async def answers(self, port: int) -> bool:
        """Whether the service on this port is ready."""
        return await answers_ok(port, "/health/ready")

    async def lives(self, port: int) -> bool:
        """Whether the service on this port answers at all."""
        return await answers_ok(port, "/health/live")

    def arm(self, name: str, failpoints: str = "", **environment: str) -> None:
        """Set failpoints and settings for the next start of this service."""
        self.services[name].environment |= {"FAILPOINTS": failpoints, **environment}

    async def stop(self) -> None:
        """Stop everything, in good order."""
        await asyncio.gather(*(service.stop() for service in self.services.values()))
        await self.sandbox.stop()

    async def left(self, name: str) -> str:
        """What a service still has to do or put aside, in words; empty where there is nothing."""
        found = await self.query(name, _LEFT)
        return "; ".join(f"{name}: {row[0]}" for row in found)

    async def dead_letters(self, name: str) -> list[bytes]:
        """A service's dead letters, each with all that is stored of it."""
        found = await self.query(
            name, "SELECT convert_to(d::text, 'utf8') || coalesce(payload, '') FROM dead_letters d"
        )
        return [bytes(row[0]) for row in found]

    async def forgive(self, name: str) -> None:
        """Forget a service's dead letters: they were meant."""
        await self.query(name, "DELETE FROM dead_letters RETURNING 1")

    async def query(self, name: str, sql: LiteralString, *parameters: object) -> list[Row]:
        """Rows of a service's database: to know what only the service knows, never to judge by them."""
        url = self.site.databases[name].replace("postgresql+psycopg://", "postgresql://")
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            return list(await (await connection.execute(sql, parameters)).fetchall())

    def _process(self, component: Component, log: Path | None = None) -> ManagedProcess:
        environment = {
            **component.environment(self._complete()),
            **self._kafka_as(component.name),
            "TOPIC_PREFIX": self.prefix,
            "CONSUMER_SESSION_SECONDS": str(self._session_seconds),
            "PYTHONUNBUFFERED": "1",
            **HURRY.get(component.name, {}),
        }
        if "OPERATORS" in environment:
            entries = json.loads(environment["OPERATORS"])
            seconds = {"airalo": RESELLER_TIMEOUT_SECONDS}
            hurried = [
                one | {"timeout_seconds": seconds.get(one.get("adapter", ""), OPERATOR_TIMEOUT_SECONDS)}
                for one in entries
            ]
            environment["OPERATORS"] = json.dumps(hurried)
        return process_of(
            component.name,
            component.command,
            log=log or self.site.log(component.name),
            environment={**_inherited(), **environment},
        )

    def _kafka_as(self, name: str) -> dict[str, str]:
        user = self.users.get(name, self.kafka)
        known = {"KAFKA_BOOTSTRAP_SERVERS": user.bootstrap_servers}
        return known | ({"KAFKA_USERNAME": user.username, "KAFKA_PASSWORD": user.password} if user.username else {})

    def _complete(self) -> Site:
        self.site.ports.setdefault("kafka", int(self.kafka.bootstrap_servers.rpartition(":")[2]))
        return self.site


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("SANDBOX_", "FAILPOINTS"))}


def keys_of(product: Product) -> dict[str, str]:
    """The API key of each storefront."""
    keys: dict[str, str] = json.loads(product.services["ordering"].environment["STOREFRONT_KEYS"])
    return keys
