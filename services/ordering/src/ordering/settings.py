"""Settings, read from environment variables."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from ordering.holds.models import Limits
from shared.contracts.base import Slug
from shared.shops.reading import read_shops
from shared.shops.settings import ShopSettings


class Settings(ShopSettings):
    """The settings of ordering, besides the common ones."""

    #: Longer than the common default, because no buyer waits for the events that this service reads.
    consumer_pause_seconds: float = Field(0.05, ge=0, le=5)

    storefront_keys: dict[str, SecretStr] = Field(
        default_factory=dict,
        description='API keys with all scopes as JSON, {"storefront": "key"}, besides those created at run time',
    )
    catalogue_dir: Path | None = Field(None, description="removed: SHOPS_DIR has the catalogue")
    session_retention_days: int = Field(365, ge=1, description="how long a checkout's IP and browser are kept (PP 4.5)")
    agent_keys: dict[str, SecretStr] = Field(
        default_factory=dict, description="API keys of agents, who decide held orders and correct contacts: {name: key}"
    )
    fraud_limits: Limits = Field(default_factory=Limits, description="above these an order is held (PP 4.5)")
    notifications_seal_public_key: str | None = Field(
        None, description="base64; codes are sealed to notifications. Without it buyers cannot confirm requests here"
    )
    privacy_sources: dict[str, str] = Field(
        default_factory=dict, description='base URLs of the other services, for exports: {"payments": "http://..."}'
    )
    shared_orders_storefront: Slug | None = Field(
        None,
        description="the one shop whose Kafka user may still write `storefront.order-submitted`; for this release only",
    )
    updates_topics: frozenset[Slug] = Field(
        frozenset(),
        description="JSON list of the shops that read `storefront.<shop>.updates`; their updates are published there",
    )
    webhook_private_networks: list[IPv4Network | IPv6Network] = Field(
        [], description='JSON: networks to which webhooks may go although they are not public, ["127.0.0.0/8"]'
    )
    account_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s]*[^/\s]$",
        description="PUBLIC_URL of notifications: answers about orders then have an `account_url` for the buyer",
    )
    trace_url_template: str | None = Field(
        None,
        pattern=r"^https?://([^{}]|\{trace_id\}|\{span_id\})+$",
        description="where operations see a span: http://localhost:16686/trace/{trace_id}?uiFind={span_id}",
    )

    @model_validator(mode="after")
    def _webhooks_stay_outside(self) -> Self:
        if self.environment == "production" and self.webhook_private_networks:
            raise ValueError("WEBHOOK_PRIVATE_NETWORKS is for development: ENVIRONMENT=production refuses it")
        return self

    def shops(self) -> tuple[str, ...]:
        """The slugs of the shops. Raises ShopsError when their folder is refused."""
        return tuple(read_shops(self.shops_dir))

    @field_validator("catalogue_dir")
    @classmethod
    def _moved(cls, folder: Path | None) -> None:
        if folder is not None:
            raise ValueError(
                "is not read any more: each shop has a folder in SHOPS_DIR, with shop.toml for its [[storefront]] and "
                "plans.toml for its prices (docs/how-to/add-a-shop.md)"
            )
