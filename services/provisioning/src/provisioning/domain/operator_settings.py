"""What an operator's entry in `OPERATORS` says, and how plans are routed and kept in stock."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

from provisioning.domain.identifiers import check_prefix
from shared.secret_settings import TestOnly

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]


class OperatorSettings(BaseModel):
    """One operator. What an adapter does not need is left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    adapter: Annotated[str, TestOnly("instant")] = "es2plus"
    url: str | None = None
    #: Client id, client secret, tokens: whatever the adapter names.
    credentials: dict[str, SecretStr] = Field(default_factory=dict)
    timeout_seconds: float = Field(10.0, gt=0, description="for one whole call")
    concurrency: int = Field(64, ge=1, description="calls in flight, and connections kept")
    rate_per_minute: float | None = Field(None, gt=0, description="all instances together; None: no limit")
    iccid_prefix: str = "8999702"
    smdp_address: str | None = Field(None, pattern=r"^[A-Za-z0-9.-]+(:[0-9]+)?$")
    usage_url: str | None = Field(None, description="GET {usage_url}/{iccid}")
    requester_id: str = Field("2.999.1", pattern=r"^[0-9]+(\.[0-9]+)+$", description="our OID at the operator")
    #: Mutual TLS: our certificate and key, and who may have signed the operator's. PEM files.
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_authority: Path | None = None
    unused_validity_days: int | None = Field(
        None, ge=1, description="the operator ends an unused profile so long after it was made; None: not before we do"
    )
    breaker_failures: int = Field(8, ge=1, description="calls without an answer in a row that open the breaker")
    breaker_seconds: float = Field(
        1.0, gt=0, description="until the first probe; doubles up to breaker_longest_seconds"
    )
    breaker_longest_seconds: float = Field(15.0, gt=0)
    #: Anything else that one adapter understands.
    options: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.adapter != "instant" and not self.url:
            raise ValueError(f"operator {self.name}: url is needed with adapter {self.adapter}")
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError(f"operator {self.name}: tls_certificate and tls_key belong together")
        check_prefix(self.iccid_prefix)
        return self


class OfferSettings(BaseModel):
    """One operator in a route. `profile_type` None: the plan's own name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    operator: Name
    profile_type: str | None = None


class StockSettings(BaseModel):
    """Profiles kept ready: at or below `low` the pool is filled up to `high`. `high` 0 gives the whole pool back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    operator: Name
    #: The operator's own name of the plan.
    profile_type: str
    low: int = Field(ge=0)
    high: int = Field(ge=0)
    max_age_days: float = Field(30, gt=0, description="older ones are given back and made anew")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"stock of {self.operator}/{self.profile_type}: low is above high")
        return self
