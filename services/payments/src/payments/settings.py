"""What payments is told from outside; the environment variables are the field names in capitals."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, SecretStr, StringConstraints, model_validator

from payments.receipts.settings import CashRegister
from shared.kernel.settings import ServiceSettings
from shared.secret_settings import TestOnly

Url = Annotated[str, StringConstraints(pattern=r"^https?://", strip_whitespace=True)]


class Settings(ServiceSettings):
    """Epay's addresses and credentials, our own address, the storefronts' keys, and how patiently we ask."""

    epay_adapter: Annotated[Literal["http", "instant"], TestOnly("instant")] = Field(
        "http", description="`instant` approves every payment without a bank: for benchmarks only"
    )
    epay_oauth_url: Url | None = Field(None, description="the whole token address, ending in /oauth2/token")
    epay_api_url: Url | None = Field(None, description="the base of check-status and operations")
    epay_client_id: str = ""
    epay_client_secret: SecretStr = SecretStr("")
    epay_terminal: UUID
    epay_timeout_seconds: float = Field(10.0, gt=0)
    epay_connections: int = Field(100, ge=1)
    public_url: Url = Field(description="where the bank reaches this service; postLink is below it")
    storefront_keys: dict[str, SecretStr] = Field(description='JSON: {"<storefront>": "<API key>"}')
    check_concurrency: int = Field(64, ge=1, description="check-status calls at once that webhooks ask for")
    check_first_seconds: float = Field(1.0, gt=0, description="first pause when the bank answers `in progress`")
    poll_concurrency: int = Field(4, ge=1, description="check-status calls at once that no webhook asked for")
    poll_first_seconds: float = Field(20.0, gt=0, description="how long to wait for a webhook before asking")
    poll_longest_seconds: float = Field(3600.0, gt=0, description="longest pause between two questions")
    poll_give_up_seconds: float = Field(86400.0, gt=0, description="an attempt unpaid for so long has lapsed")
    asks_per_second: float = Field(
        10.0, gt=0, description="questions to the bank that no webhook asked for, per process"
    )
    payment_lapse_seconds: float = Field(86400.0, gt=0, description="an order unpaid for so long has lapsed")
    storefront_lapse_seconds: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict, description='JSON: {"<storefront>": seconds} where a storefront has a time of its own'
    )
    refund_concurrency: int = Field(8, ge=1)
    refund_wait_seconds: float = Field(3600.0, gt=0, description="how long a refund waits for its capture to be known")

    cash_registers: dict[str, CashRegister] = Field(
        default_factory=dict,
        description='JSON: {"<storefront>": {"cashbox", "login", "password", "vat_percent", "send_contact"}}',
    )
    webkassa_url: Url | None = Field(None, description="the address that /api/v4 is below")
    webkassa_api_key: SecretStr = SecretStr("")
    webkassa_timeout_seconds: float = Field(10.0, gt=0)

    refund_doubt_seconds: float = Field(
        300.0, gt=0, description="how long a refund without a reply may still happen at the bank"
    )
    refund_warn_seconds: float = Field(172800.0, gt=0, description="how long before its date a refund not made is told")
    revenue_after_days: int = Field(30, ge=1, description="after so many days an order's funds become revenue")
    reconcile_after_seconds: float = Field(
        7200.0, ge=0, description="so long after midnight UTC the day before is compared with the bank"
    )
    chore_seconds: float = Field(15.0, gt=0, description="between two rounds of lapses, alarms and balance checks")
    chore_margin_seconds: float = Field(60.0, gt=0, description="longer than any transaction may last (40 s)")
    agent_keys: dict[str, SecretStr] = Field(default_factory=dict, description='JSON: {"<agent>": "<API key>"}')

    @model_validator(mode="after")
    def _webkassa_is_reachable(self) -> Self:
        if self.cash_registers and not (self.webkassa_url and self.webkassa_api_key.get_secret_value()):
            raise ValueError("CASH_REGISTERS needs WEBKASSA_URL and WEBKASSA_API_KEY")
        return self

    @model_validator(mode="after")
    def _bank_is_reachable(self) -> Self:
        if self.epay_adapter == "http":
            for name in ("epay_oauth_url", "epay_api_url", "epay_client_id"):
                if not getattr(self, name):
                    raise ValueError(f"{name.upper()} is needed unless EPAY_ADAPTER=instant")
            if not self.epay_client_secret.get_secret_value():
                raise ValueError("EPAY_CLIENT_SECRET is needed unless EPAY_ADAPTER=instant")
        if not all(key.get_secret_value().strip() for key in self.storefront_keys.values()):
            raise ValueError("STOREFRONT_KEYS holds an empty key")
        if not all(key.get_secret_value().strip() for key in self.agent_keys.values()):
            raise ValueError("AGENT_KEYS holds an empty key")
        return self
