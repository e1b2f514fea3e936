"""What operations is told from outside; the environment variables are the field names in capitals."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints

from shared.signin.settings import SignInSettings

Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s{}]+$")]


class Settings(SignInSettings):
    """Whom it watches, who may look, how long it remembers."""

    #: Nobody waits for what is read here: large batches cost the least.
    consumer_pause_seconds: float = Field(0.25, ge=0, le=5)
    consumer_max_records: int = Field(4000, ge=1)

    services: dict[str, Url] = Field(
        default_factory=dict, description='base URLs of the services that are watched: {"ordering": "http://..."}'
    )
    operations_key: SecretStr | None = Field(
        None, description="the key of the services' own operations API; without it they are asked for readiness only"
    )
    agent_key: SecretStr | None = Field(
        None, description="an agent's key of provisioning, which tells of its operators"
    )
    search_key: SecretStr = Field(
        min_length=16, description="keys the hashes of e-mail addresses; another key, and none is found any more"
    )
    evaluation_seconds: float = Field(30, gt=0, description="between two evaluations of the invariants")
    invariant_seconds: dict[str, float] = Field(
        default_factory=dict,
        description='another time for invariants that may be broken for a while: {"paid_without_outcome": 600}',
    )
    keep_days: int = Field(90, ge=1, description="a fact is forgotten after this, an order with its last fact")
    audit_keep_days: int = Field(
        400, ge=31, description="an entry of the audit trail is deleted after this; the database refuses it for 30 days"
    )
    oidc_viewer_role: str = Field("operations-viewer", description="whoever has it may look")
    oidc_operator_role: str = Field("operations-operator", description="whoever has it may act")
    trace_url_template: str | None = Field(
        None,
        pattern=r"^https?://([^{}]|\{trace_id\}|\{span_id\})+$",
        description="where people see a span: http://localhost:16686/trace/{trace_id}?uiFind={span_id}",
    )
    trace_api: str | None = Field(
        None,
        pattern=r"^https?://[^{}]+\{trace_id\}[^{}]*$",
        description="where spans are read: Zipkin's .../api/v2/trace/{trace_id} or Jaeger's .../api/traces/{trace_id}",
    )

    @property
    def keep(self) -> timedelta:
        """How long facts are remembered."""
        return timedelta(days=self.keep_days)

    @property
    def keep_audit(self) -> timedelta:
        """How long the audit trail is."""
        return timedelta(days=self.audit_keep_days)
