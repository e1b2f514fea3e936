"""Who a client says it is to a broker of ours."""

from dataclasses import dataclass, field
from typing import Any

ADMIN = "admin"
"""The super user: the broker itself, and whoever looks after it."""


@dataclass(frozen=True)
class KafkaLogin:
    """An address (`host:port`) and a SCRAM-SHA-512 user."""

    bootstrap_servers: str
    username: str
    password: str = field(repr=False)

    def librdkafka(self, mechanism: str = "SCRAM-SHA-512") -> dict[str, Any]:
        """Settings of confluent-kafka's clients."""
        return {
            "bootstrap.servers": self.bootstrap_servers,
            "security.protocol": "sasl_plaintext",
            "sasl.mechanism": mechanism,
            "sasl.username": self.username,
            "sasl.password": self.password,
        }
