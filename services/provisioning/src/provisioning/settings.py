"""Provisioning's settings; each field is an environment variable in capitals."""

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from provisioning.domain.identifiers import check_prefix
from shared.kernel.settings import ServiceSettings
from shared.sealed import Sealer


class Settings(ServiceSettings):
    """The operator, the ICCIDs it allotted to us, and how long a buyer is made to wait."""

    operator_adapter: Literal["es2plus", "instant"] = Field(
        "es2plus", description="instant makes no profile anywhere; it is there for benchmarks"
    )
    operator_url: str | None = Field(None, description="ES2+ functions are at {url}/gsma/rsp2/es2plus/<function>")
    operator_name: str = Field("primary", min_length=1, description="how our events name this operator")
    operator_timeout_seconds: float = Field(10.0, gt=0, description="for one whole call")
    operator_concurrency: int = Field(64, ge=1, description="calls in flight, and connections kept")
    function_requester_id: str = Field("2.999.1", pattern=r"^[0-9]+(\.[0-9]+)+$", description="our OID at the operator")
    smdp_address: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9.-]+(:[0-9]+)?$",
        description="the SM-DP+ that phones ask; used where confirmOrder's answer does not name one",
    )
    iccid_prefix: str = Field("8999702", description="the range that the operator allotted to us")

    provisioning_deadline_seconds: float = Field(86_400, gt=0, description="from payment; then the order has failed")
    storefront_deadline_seconds: dict[str, float] = Field(
        default_factory=dict, description='where a storefront promises otherwise: {"esimka": 3600}'
    )
    #: RC 7: an eSIM that is never installed expires 180 days after purchase.
    unused_validity_days: int = Field(180, ge=1)
    apn: str = "internet"
    profile_type_apn: dict[str, str] = Field(default_factory=dict, description="APN by operator profile type")

    notifications_seal_public_key: str = Field(description="base64; activation codes are sealed to notifications")
    agent_keys: dict[str, SecretStr] = Field(default_factory=dict, description="API keys of agents: {name: key}")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.operator_adapter == "es2plus" and not self.operator_url:
            raise ValueError("OPERATOR_URL is needed with OPERATOR_ADAPTER=es2plus")
        check_prefix(self.iccid_prefix)
        Sealer("notifications", self.notifications_seal_public_key)
        return self

    def deadline_seconds(self, storefront: str) -> float:
        """How long after payment this storefront's orders may take."""
        return self.storefront_deadline_seconds.get(storefront, self.provisioning_deadline_seconds)
