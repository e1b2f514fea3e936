"""Address and credentials of the Kafka brokers: SASL/SCRAM, over TLS or inside a private network."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

#: How long a broker may take for an answer. One that is frozen or cut off keeps its connections and says nothing: only
#: then does a client look for the partitions' new leader, and for the group's new coordinator.
REQUEST_TIMEOUT_MS = 10_000
Mechanism = Literal["SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True)
class KafkaAccess:
    """`bootstrap_servers` is `host:port`, comma-separated. Without a user name the connection is anonymous.

    `repr` hides the password. `tls` trusts the system's authorities, or only those in `ca_file` (PEM).
    """

    bootstrap_servers: str
    username: str | None = None
    password: str = ""
    mechanism: Mechanism = "SCRAM-SHA-512"
    tls: bool = False
    ca_file: Path | None = None

    def __repr__(self) -> str:
        return f"KafkaAccess({self.bootstrap_servers!r}, {self.username!r}, {self._protocol})"

    @property
    def _protocol(self) -> str:
        return f"{'SASL_' if self.username else ''}{'SSL' if self.tls else 'PLAINTEXT'}"

    @property
    def servers(self) -> list[str]:
        """The brokers one by one: clients take a text for one address, or for several, as they like."""
        return [server.strip() for server in self.bootstrap_servers.split(",") if server.strip()]

    def aiokafka(self) -> dict[str, Any]:
        """Keyword arguments of aiokafka's clients. Raises OSError when `ca_file` cannot be read."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.servers,
            "security_protocol": self._protocol,
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
        }
        if self.tls:
            options["ssl_context"] = self.ssl_context()
        if self.username:
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return options

    def librdkafka(self) -> dict[str, Any]:
        """Settings of confluent-kafka's clients."""
        options: dict[str, Any] = {
            "bootstrap.servers": ",".join(self.servers),
            "security.protocol": self._protocol.lower(),
        }
        if self.ca_file is not None:
            options["ssl.ca.location"] = str(self.ca_file)
        if self.username:
            options |= {
                "sasl.mechanism": self.mechanism,
                "sasl.username": self.username,
                "sasl.password": self.password,
            }
        return options

    def ssl_context(self) -> ssl.SSLContext:
        """Whom to trust with TLS. Raises OSError when `ca_file` cannot be read."""
        return ssl.create_default_context(cafile=None if self.ca_file is None else str(self.ca_file))
