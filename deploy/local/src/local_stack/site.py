"""What one stack is: its folder, ports and secrets, kept in `stack.json` from one run to the next."""

import base64
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nacl.public import PrivateKey

from local_stack.kafka_login import KafkaLogin
from local_stack.paths import read_json, shops_dir, write_private
from local_stack.ports import LOOPBACK, free_port, release

#: Who may use the services' operations interfaces: a person with the command line, and the operations page.
OPERATIONS = ("operator", "operations")


@dataclass
class Site:
    """The facts from which every component's environment is composed."""

    directory: Path
    shops: Path = field(default_factory=shops_dir)
    """The folder of the shops, which all services read."""
    ports: dict[str, int] = field(default_factory=dict)
    seal_keys: dict[str, str] = field(default_factory=dict)
    storefront_keys: dict[str, str] = field(default_factory=dict)
    """The HTTP API's keys, by storefront."""
    agent_keys: dict[str, str] = field(default_factory=dict)
    """The HTTP API's keys of people who look at cases and profiles."""
    operations_keys: dict[str, str] = field(default_factory=dict)
    """The keys of the services' operations interfaces, by holder."""
    kafka_passwords: dict[str, str] = field(default_factory=dict)
    """Of the users in deploy/access and of the admin; empty where the broker asks nobody who they are."""
    databases: dict[str, str] = field(default_factory=dict)
    """SQLAlchemy URLs; known once Postgres runs, and not stored here (postgres.json has the passwords)."""
    owner_databases: dict[str, str] = field(default_factory=dict)
    """The same as the owners of the schemas, for migrations."""

    _held: list[int] = field(default_factory=list)

    @classmethod
    def load(cls, directory: Path) -> "Site":
        """The stored site, or an empty one."""
        state = read_json(directory / "stack.json") or {}
        return cls(
            directory,
            ports=dict(state.get("ports") or {}),
            seal_keys=dict(state.get("seal_keys") or {}),
            storefront_keys=dict(state.get("storefront_keys") or {}),
            agent_keys=dict(state.get("agent_keys") or {}),
            operations_keys=dict(state.get("operations_keys") or {}),
            kafka_passwords=dict(state.get("kafka_passwords") or {}),
        )

    def save(self) -> None:
        """Store it, for this user's eyes only."""
        state = {
            "ports": self.ports,
            "seal_keys": self.seal_keys,
            "storefront_keys": self.storefront_keys,
            "agent_keys": self.agent_keys,
            "operations_keys": self.operations_keys,
            "kafka_passwords": self.kafka_passwords,
        }
        write_private(self.directory / "stack.json", state)

    def claim_ports(self, wanted: Mapping[str, int | None]) -> None:
        """A port for each name: the one it had, else the preferred one, else any free one.

        They are held until `release_ports`, or until this process ends.
        """
        self.release_ports()
        for name, preferred in wanted.items():
            remembered = self.ports.get(name)
            port = free_port(remembered or preferred)
            if remembered is not None and preferred is not None and port not in {remembered, preferred}:
                release([port])
                port = free_port(preferred)
            self.ports[name] = port
            self._held.append(port)

    def release_ports(self) -> None:
        """Let others have them: nothing of this stack runs any more."""
        release(self._held)
        self._held.clear()

    def invent_secrets(self, services: Iterable[str], storefronts: Iterable[str], agents: Iterable[str]) -> None:
        """Make the keys that are not there yet."""
        for service in services:
            self.seal_keys.setdefault(service, base64.b64encode(bytes(PrivateKey.generate())).decode())
        for storefront in storefronts:
            self.storefront_keys.setdefault(storefront, f"dev_{secrets.token_urlsafe(24)}")
        for agent in agents:
            self.agent_keys.setdefault(agent, f"dev_{secrets.token_urlsafe(24)}")
        for holder in OPERATIONS:
            self.operations_keys.setdefault(holder, f"dev_{secrets.token_urlsafe(24)}")

    def invent_kafka_passwords(self, users: Iterable[str]) -> None:
        """Make the passwords that are missing. From then on every client signs in."""
        for user in users:
            self.kafka_passwords.setdefault(user, secrets.token_urlsafe(24))

    def kafka_login(self, user: str) -> KafkaLogin:
        """How that user comes to the broker. Raises KeyError for an unknown one."""
        return KafkaLogin(self.bootstrap_servers, user, self.kafka_passwords[user])

    def seal_public_key(self, service: str) -> str:
        """What others seal to that service with, base64 of 32 bytes."""
        private = PrivateKey(base64.b64decode(self.seal_keys[service]))
        return base64.b64encode(bytes(private.public_key)).decode()

    def url(self, name: str) -> str:
        """The base URL of a component that serves HTTP. Raises KeyError for an unknown name."""
        return f"http://{LOOPBACK}:{self.ports[name]}"

    @property
    def bootstrap_servers(self) -> str:
        """What Kafka clients connect to: one broker, or several (`kafka-2`, `kafka-3`)."""
        names = ["kafka", *sorted(name for name in self.ports if re.fullmatch(r"kafka-\d", name))]
        return ",".join(f"{LOOPBACK}:{self.ports[name]}" for name in names)

    def log(self, name: str) -> Path:
        """Where a component's output goes."""
        return self.directory / "logs" / f"{name}.log"
