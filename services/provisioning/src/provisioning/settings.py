"""Provisioning's settings; each field is an environment variable in capitals."""

from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from provisioning.domain.offers import Table
from provisioning.domain.operator_settings import OfferSettings, OperatorSettings, StockSettings
from provisioning.life.settings import LifeSettings
from shared.sealed import Sealer
from shared.secret_settings import TestOnly


class Settings(LifeSettings):
    """The operators, the ICCIDs they allotted to us, and how long a buyer is made to wait."""

    operators: list[OperatorSettings] = Field(
        default_factory=list, description="all operators, the first one is the default; empty: the OPERATOR_... below"
    )
    routes: dict[str, dict[str, list[OfferSettings]]] = Field(
        default_factory=dict,
        description='{storefront or "*": {plan\'s profile type or "*": [{"operator", "profile_type"}]}}, best first',
    )
    stock: list[StockSettings] = Field(default_factory=list, description="profiles kept ready, by operator and plan")
    allowed_personal_fields: dict[str, list[Literal["name", "email", "phone"]]] = Field(
        default_factory=dict, description='what a storefront lets operators know of buyers (PP 5.2): {"esimka": []}'
    )

    operator_adapter: Annotated[str, TestOnly("instant")] = Field(
        "es2plus", description="instant makes no profile anywhere; it is there for benchmarks"
    )
    operator_url: str | None = Field(None, description="ES2+ functions are at {url}/gsma/rsp2/es2plus/<function>")
    operator_name: str = Field("primary", description="how our events name this operator")
    operator_usage_url: str | None = Field(None, description="the operator's feed of install state and usage")
    operator_rate_per_minute: float | None = Field(None, gt=0, description="all instances together; None: no limit")
    operator_timeout_seconds: float = Field(10.0, gt=0, description="for one whole call")
    operator_concurrency: int = Field(64, ge=1, description="calls in flight, and connections kept")
    function_requester_id: str = Field("2.999.1", pattern=r"^[0-9]+(\.[0-9]+)+$", description="our OID at the operator")
    smdp_address: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9.-]+(:[0-9]+)?$",
        description="the SM-DP+ that phones ask; used where confirmOrder's answer does not name one",
    )
    iccid_prefix: str = Field("8999702", description="the range that the operator allotted to us")

    failover_attempts: int = Field(
        3, ge=1, description="tries without a result at one operator, before the next one of the route is asked"
    )
    provisioning_deadline_seconds: float = Field(86_400, gt=0, description="from payment; then the order has failed")
    storefront_deadline_seconds: dict[str, float] = Field(
        default_factory=dict, description='where a storefront promises otherwise: {"esimka": 3600}'
    )
    apn: str = "internet"
    profile_type_apn: dict[str, str] = Field(default_factory=dict, description="APN by operator profile type")

    notifications_seal_public_key: str = Field(description="base64; activation codes are sealed to notifications")
    agent_keys: dict[str, SecretStr] = Field(default_factory=dict, description="API keys of agents: {name: key}")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not self.operators and self.operator_adapter == "es2plus" and not self.operator_url:
            raise ValueError("OPERATOR_URL is needed with OPERATOR_ADAPTER=es2plus")
        names = [one.name for one in self.all_operators()]
        if len(set(names)) < len(names):
            raise ValueError("OPERATORS: two have the same name")
        for plans in self.routes.values():
            for listed in plans.values():
                if not listed or len({offer.operator for offer in listed}) < len(listed):
                    raise ValueError("ROUTES: each list names at least one operator, and none twice")
        named = {offer.operator for plans in self.routes.values() for offers in plans.values() for offer in offers}
        named |= {one.operator for one in self.stock}
        if unknown := sorted(named - set(names)):
            raise ValueError(f"ROUTES or STOCK name operators that there are not: {', '.join(unknown)}")
        if len({(one.operator, one.profile_type) for one in self.stock}) < len(self.stock):
            raise ValueError("STOCK names a pool twice")
        Sealer("notifications", self.notifications_seal_public_key)
        return self

    def all_operators(self) -> list[OperatorSettings]:
        """`OPERATORS`, or the one operator that the `OPERATOR_...` settings describe."""
        if self.operators:
            return self.operators
        instant = self.operator_adapter == "instant"
        return [
            OperatorSettings(
                name="instant" if instant else self.operator_name,
                adapter=self.operator_adapter,
                url=self.operator_url,
                timeout_seconds=self.operator_timeout_seconds,
                concurrency=self.operator_concurrency,
                rate_per_minute=self.operator_rate_per_minute,
                iccid_prefix=self.iccid_prefix,
                smdp_address=self.smdp_address,
                usage_url=self.operator_usage_url,
                requester_id=self.function_requester_id,
            )
        ]

    def route_table(self) -> Table:
        """`ROUTES` as the domain takes it."""
        return {
            shop: {plan: [(offer.operator, offer.profile_type) for offer in offers] for plan, offers in plans.items()}
            for shop, plans in self.routes.items()
        }

    def deadline_seconds(self, storefront: str) -> float:
        """How long after payment this storefront's orders may take."""
        return self.storefront_deadline_seconds.get(storefront, self.provisioning_deadline_seconds)
