"""Settings, read from environment variables: the field names in capitals."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints

from shared.signin.settings import SignInSettings

Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s{}]+$")]


class Settings(SignInSettings):
    """Settings of operations."""

    #: No service waits for operations, so it reads large batches, which cost the least.
    consumer_pause_seconds: float = Field(0.25, ge=0, le=5)
    consumer_max_records: int = Field(4000, ge=1)

    services: dict[str, Url] = Field(
        default_factory=dict, description='base URLs of the services that are watched: {"ordering": "http://..."}'
    )
    operations_key: SecretStr | None = Field(
        None, description="the key of the services' own operations API; without it only their readiness is polled"
    )
    agent_key: SecretStr | None = Field(
        None, description="an agent's key of provisioning, for the list of its operators"
    )
    search_key: SecretStr = Field(
        min_length=16, description="the key of the hashes of e-mail addresses; with another key no earlier hash matches"
    )
    evaluation_seconds: float = Field(30, gt=0, description="between two evaluations of the invariants")
    invariant_seconds: dict[str, float] = Field(
        default_factory=dict,
        description='another time for invariants that count only after a time: {"paid_without_outcome": 600}',
    )
    keep_days: int = Field(90, ge=1, description="a fact is deleted after this, an order with its last fact")
    audit_keep_days: int = Field(
        400, ge=31, description="an entry of the audit log is deleted after this; the database refuses it for 30 days"
    )
    oidc_viewer_role: str = Field("operations-viewer", description="the provider's role that may read")
    oidc_operator_role: str = Field("operations-operator", description="the provider's role that may act")
    trace_url_template: str | None = Field(
        None,
        pattern=r"^https?://([^{}]|\{trace_id\}|\{span_id\})+$",
        description="the page of a span: http://localhost:16686/trace/{trace_id}?uiFind={span_id}",
    )
    trace_api: str | None = Field(
        None,
        pattern=r"^https?://[^{}]+\{trace_id\}[^{}]*$",
        description="the API of spans: Zipkin's .../api/v2/trace/{trace_id} or Jaeger's .../api/traces/{trace_id}",
    )

    @property
    def keep(self) -> timedelta:
        """How long facts are stored."""
        return timedelta(days=self.keep_days)

    @property
    def keep_audit(self) -> timedelta:
        """How long entries of the audit log are stored."""
        return timedelta(days=self.audit_keep_days)
