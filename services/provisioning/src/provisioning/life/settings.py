"""Settings of profiles' lives; each field is an environment variable in capitals."""

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, StringConstraints

from shared.contracts import InstallState
from shared.kernel.settings import ServiceSettings

_UTC = ZoneInfo("UTC")
Secret = Annotated[SecretStr, Field(min_length=8)]


class LifeSettings(ServiceSettings):
    """Who may report on profiles, how old reports may be, and how long a case waits for an answer."""

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
        description="the header in which the TLS proxy tells the SHA-256 of a verified client certificate; only where "
        "nobody can pass the proxy by, and it strips the header from what it is sent",
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
        default_factory=lambda: {
            "qazaq-esim": ZoneInfo("Asia/Almaty"),
            "e-sim-onl": ZoneInfo("UTC"),
            "esimka": ZoneInfo("Asia/Tbilisi"),
        },
        description="whose days a storefront's deadlines count, by IANA name; UTC for all others",
    )
    #: RC 7: an eSIM that is never installed expires 180 days after purchase, at 24:00 of the storefront's day.
    unused_validity_days: int = Field(180, ge=1)
    storefront_unused_validity_days: dict[str, int] = Field(
        default_factory=dict, description='where a storefront promises otherwise: {"esimka": 365}'
    )
    watch_seconds: float = Field(5.0, gt=0, description="how often profiles that are due are looked for")
    observe_concurrency: int = Field(4, ge=1, description="by operator: profiles looked at at a time")
    life_concurrency: int = Field(8, ge=1, description="by operator: cases, revocations and top-ups at a time")
    inquiry_patience_seconds: float = Field(20.0, ge=0, description="then a case hears that nobody could be asked")
    inquiry_gives_up_hours: float = Field(72.0, gt=0, description="so long a case's question is asked again")

    def unused_days(self, storefront: str) -> int:
        """How long after purchase an eSIM of this storefront may wait for its first activation (RC 7)."""
        return self.storefront_unused_validity_days.get(storefront, self.unused_validity_days)

    def zone(self, storefront: str) -> ZoneInfo:
        """The time zone whose days count there."""
        return self.storefront_time_zones.get(storefront, _UTC)
