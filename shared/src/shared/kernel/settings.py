"""Settings common to all services, read from the environment; each service adds its own."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.messaging.access import KafkaAccess, Mechanism
from shared.sealed import new_private_key
from shared.secret_settings import Invented, TestOnly, blank_secrets, not_for_production


class ServiceSettings(BaseSettings):
    """What every service needs to run. Names of environment variables are the field names in capitals."""

    model_config = SettingsConfigDict(env_file=None, extra="ignore", populate_by_name=True)

    environment: Literal["development", "test", "production"] = Field(
        "development", description="production refuses generated secrets, short ones and test adapters, by name"
    )
    sandbox: Annotated[bool, TestOnly(value=True)] = Field(
        default=False,
        description="bank, cash register, operators, mail and SMS of this deployment are all stand-ins; only then are "
        "API keys for tests (esim_test_) accepted",
    )
    database_url: str = Field(description="postgresql+psycopg://user:password@host:port/database")
    kafka_bootstrap_servers: str = Field(description="host:port of one or more brokers, comma-separated")
    kafka_username: str | None = Field(None, description="SASL/SCRAM; without it the brokers are asked for no password")
    kafka_password: SecretStr = SecretStr("")
    kafka_mechanism: Mechanism = "SCRAM-SHA-512"
    kafka_tls: bool = False
    kafka_ca_file: Path | None = Field(None, description="PEM; the authorities to trust instead of the system's")
    topic_prefix: str = Field("", description="put before every topic and group, to keep stacks apart")
    topic_partitions: int = Field(6, ge=1, description="for topics that this service creates")
    topic_replication: int = Field(1, ge=1)
    http_host: str = "127.0.0.1"
    trusted_proxies: list[IPv4Network | IPv6Network] = Field(
        [], description='JSON: networks of the proxies whose X-Forwarded-For is believed, ["10.0.0.0/8"]'
    )
    http_port: int = Field(8000, ge=0, le=65535, description="0 takes a free port")
    #: base64 of 32 bytes. A generated one is good for tests only: what it sealed dies with the process.
    seal_private_key: Annotated[SecretStr, Invented()] = Field(default_factory=lambda: SecretStr(new_private_key()))
    log_level: str = "INFO"
    otlp_endpoint: str | None = Field(
        None, validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_ENDPOINT", "otlp_endpoint")
    )
    trace_file: Path | None = Field(None, description="spans as JSON lines, where there is no collector")
    trace_sample_ratio: float = Field(1.0, ge=0, le=1, description="share of new traces that are recorded")
    consumer_max_records: int = Field(500, ge=1, description="records per transaction")
    consumer_session_seconds: float = Field(
        6.0, ge=1, description="a silent consumer loses its partitions after this; brokers accept 6 and more by default"
    )
    consumer_pause_seconds: float = Field(
        0.0, ge=0, le=5, description="between batches; larger batches, later state, for services that nobody waits for"
    )
    dead_letter_limit: int = Field(100, ge=1, description="dead letters per minute before the consumer stops")
    shop_dead_letter_limit: int = Field(
        500, ge=1, description="junk of one shop per minute that is kept record by record; the rest as offset ranges"
    )
    dead_letter_sealed_days: int = Field(
        30, ge=1, description="a sealed dead letter that no buyer's erasure would reach is discarded after this"
    )
    privacy_key: SecretStr | None = Field(
        None, description="the key by which ordering exports what this service holds of a buyer (PP 6.2)"
    )
    operations_keys: dict[str, SecretStr] = Field(
        {}, description="JSON of holder to key: who may see and decide under /operations; without any it is not there"
    )
    database_pool_size: int = Field(5, ge=2)
    #: 100 a second: a program that reads every order in a loop gets less of an instance than the others together.
    reads_per_minute: int = Field(6000, ge=1, description="GET requests that one key may send to one instance")
    #: 1000 a second, more than an instance takes: a sale must not be refused because of its success.
    writes_per_minute: int = Field(60_000, ge=1, description="other requests that one key may send to one instance")

    @model_validator(mode="after")
    def _secrets_are_secret(self) -> Self:
        problems = blank_secrets(self)
        if self.environment == "production":
            problems += not_for_production(self)
        if self.kafka_username is not None and not self.kafka_password.get_secret_value().strip():
            problems.append("KAFKA_USERNAME needs KAFKA_PASSWORD")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def shops(self) -> tuple[str, ...]:
        """The shops whose order topics this service owns."""
        return ()

    @property
    def kafka(self) -> KafkaAccess:
        """Address and credentials of the brokers."""
        return KafkaAccess(
            self.kafka_bootstrap_servers,
            self.kafka_username,
            self.kafka_password.get_secret_value(),
            self.kafka_mechanism,
            self.kafka_tls,
            self.kafka_ca_file,
        )
