"""Settings, read from environment variables: the field `apn` is the variable `APN`."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

from shared.contracts import InstallState
from shared.sealed import Sealer
from shared.secret_settings import TestOnly
from shared.shops.settings import ShopSettings

_PREFIX = re.compile(r"89[0-9]{4,13}")
Secret = Annotated[SecretStr, Field(min_length=8)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]


def check_prefix(prefix: str) -> None:
    """Raises ValueError when this cannot begin an ICCID."""
    if not _PREFIX.fullmatch(prefix):
        raise ValueError("ICCID_PREFIX is 89 (telecom) followed by 4 to 13 digits")


class OperatorSettings(BaseModel):
    """One operator. Fields that its client does not need are left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    adapter: Annotated[str, TestOnly("instant")] = "es2plus"
    url: str | None = None
    #: Client id, client secret, tokens: whatever its client names.
    credentials: dict[str, SecretStr] = Field(default_factory=dict)
    timeout_seconds: float = Field(10.0, gt=0, description="for one whole call")
    concurrency: int = Field(64, ge=1, description="calls in flight, and connections kept")
    rate_per_minute: float | None = Field(None, gt=0, description="all instances together; None: no limit")
    iccid_prefix: str = "8999702"
    smdp_address: str | None = Field(None, pattern=r"^[A-Za-z0-9.-]+(:[0-9]+)?$")
    usage_url: str | None = Field(None, description="GET {usage_url}/{iccid}")
    requester_id: str = Field("2.999.1", pattern=r"^[0-9]+(\.[0-9]+)+$", description="our OID at the operator")
    #: Mutual TLS: our certificate and key, and the authority of the operator's certificate. PEM files.
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_authority: Path | None = None
    unused_validity_days: int | None = Field(
        None, ge=1, description="after how many days the operator ends an unused profile; None: not before we do"
    )
    breaker_failures: int = Field(8, ge=1, description="calls without an answer in a row that open the breaker")
    breaker_seconds: float = Field(
        1.0, gt=0, description="until the first probe; doubles up to breaker_longest_seconds"
    )
    breaker_longest_seconds: float = Field(15.0, gt=0)
    #: Other options of one client.
    options: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> Self:
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
    """A pool of ready profiles: at or below `low` it is filled up to `high`. `high` 0 gives all profiles back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    operator: Name
    #: The operator's own name of the plan.
    profile_type: str
    low: int = Field(ge=0)
    high: int = Field(ge=0)
    max_age_days: float = Field(30, gt=0, description="older ones are given back and replaced")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"stock of {self.operator}/{self.profile_type}: low is above high")
        return self


class LifecycleSettings(ShopSettings):
    """Settings of the lifecycle: credentials of reports, limits of their age, intervals, and waits of cases."""

    notification_secrets: dict[str, Secret] = Field(
        default_factory=dict, description="by operator: what its ES2+ notifications must carry, in header or address"
    )
    notification_certificates: dict[
        str, Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$", to_lower=True)]
    ] = Field(
        default_factory=dict, description="by operator: SHA-256 of the client certificate that its notifications show"
    )
    client_certificate_header: str | None = Field(
        None,
        description="the header in which the TLS proxy gives the SHA-256 of a verified client certificate; only where "
        "no request can bypass the proxy, and it removes the header from requests",
    )
    usage_push_secrets: dict[str, Secret] = Field(
        default_factory=dict, description="by operator: the key of X-Signature on its usage pushes"
    )
    usage_push_window_seconds: float = Field(300.0, gt=0, description="an older or newer push is refused as a replay")
    notification_points: dict[str, dict[str, InstallState]] = Field(
        default_factory=dict, description='an operator\'s own notification points: {"primary": {"6": "enabled"}}'
    )
    clock_skew_seconds: float = Field(300.0, ge=0, description="how far an operator's clock may be from ours")

    storefront_time_zones: dict[str, ZoneInfo] = Field(
        default_factory=dict, description="deprecated, for this release only: time_zone of the shop's folder"
    )
    #: RC 7: an eSIM that is never installed expires 180 days after purchase, at 24:00 of the storefront's day.
    unused_validity_days: int = Field(180, ge=1)
    storefront_unused_validity_days: dict[str, int] = Field(
        default_factory=dict,
        description="deprecated, for this release only: deadlines.unused_days of the shop's folder",
    )
    #: Two weeks: time for a trip to be planned, and not so early that it is forgotten again.
    unused_notice_days: int = Field(14, ge=1, description="an unused eSIM: how many days before, its end is announced")
    #: Two days: the buyer is on the way, and tops up for the rest of the trip.
    plan_notice_days: int = Field(2, ge=1, description="a running plan: how many days before, its end is announced")
    watch_seconds: float = Field(5.0, gt=0, description="how often profiles that are due are scheduled")
    observe_concurrency: int = Field(4, ge=1, description="by operator: profiles that are queried at a time")
    life_concurrency: int = Field(8, ge=1, description="by operator: cases, revocations and top-ups at a time")
    inquiry_patience_seconds: float = Field(
        20.0, ge=0, description="then a case is answered that the operator was unreachable"
    )
    inquiry_gives_up_hours: float = Field(72.0, gt=0, description="how long the operator is queried for a case")


class Settings(LifecycleSettings):
    """Settings of provisioning: its operators, routes, stock and deadlines."""

    operators: list[OperatorSettings] = Field(
        default_factory=list, description="all operators, the first one is the default; empty: the OPERATOR_... below"
    )
    routes: dict[str, dict[str, list[OfferSettings]]] = Field(
        default_factory=dict,
        description='{"*": {plan\'s profile type or "*": [{"operator", "profile_type"}]}}, best first; routes of one '
        "shop belong into its folder and count here for this release only",
    )
    stock: list[StockSettings] = Field(default_factory=list, description="profiles kept ready, by operator and plan")
    allowed_personal_fields: dict[str, list[Literal["name", "email", "phone"]]] = Field(
        default_factory=dict,
        description='personal data of buyers that shops allow operators (PP 5.2): {"*": []}; those of one shop belong '
        "into its folder and count here for this release only",
    )

    operator_adapter: Annotated[str, TestOnly("instant")] = Field(
        "es2plus", description="instant makes no profile; for benchmarks only"
    )
    operator_url: str | None = Field(None, description="ES2+ functions are at {url}/gsma/rsp2/es2plus/<function>")
    operator_name: str = Field("primary", description="this operator's name in our events")
    operator_usage_url: str | None = Field(None, description="the operator's feed of install state and usage")
    operator_rate_per_minute: float | None = Field(None, gt=0, description="all instances together; None: no limit")
    operator_timeout_seconds: float = Field(10.0, gt=0, description="for one whole call")
    operator_concurrency: int = Field(64, ge=1, description="calls in flight, and connections kept")
    function_requester_id: str = Field("2.999.1", pattern=r"^[0-9]+(\.[0-9]+)+$", description="our OID at the operator")
    smdp_address: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9.-]+(:[0-9]+)?$",
        description="the SM-DP+ for downloads; used where confirmOrder's answer does not name one",
    )
    iccid_prefix: str = Field("8999702", description="the range that the operator allotted to us")

    failover_attempts: int = Field(
        3, ge=1, description="attempts without a result at one operator, before the next one of the route is tried"
    )
    provisioning_deadline_seconds: float = Field(86_400, gt=0, description="from payment; then the order has failed")
    storefront_deadline_seconds: dict[str, float] = Field(
        default_factory=dict,
        description="deprecated, for this release only: deadlines.delivery_seconds of the shop's folder",
    )
    apn: str = "internet"
    profile_type_apn: dict[str, str] = Field(default_factory=dict, description="APN by operator profile type")

    notifications_seal_public_key: str = Field(description="base64; activation codes are sealed to notifications")
    agent_keys: dict[str, SecretStr] = Field(default_factory=dict, description="API keys of agents: {name: key}")

    @model_validator(mode="after")
    def _check(self) -> Self:
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
            raise ValueError(f"ROUTES or STOCK name operators that are not configured: {', '.join(unknown)}")
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

    def route_table(self) -> dict[str, dict[str, list[tuple[str, str | None]]]]:
        """`ROUTES` as `Routes` takes it: {storefront: {profile type: [(operator, its profile type)]}}."""
        return {
            shop: {plan: [(offer.operator, offer.profile_type) for offer in offers] for plan, offers in plans.items()}
            for shop, plans in self.routes.items()
        }
