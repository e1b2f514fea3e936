"""Settings of payments, read from environment variables: the field names in capitals."""

from decimal import Decimal
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

from payments.clients.models import SERVICE, Tax
from shared.secret_settings import TestOnly
from shared.shops.faults import Fault, ShopsError
from shared.shops.reading import Shops
from shared.shops.settings import ShopSettings
from shared.telemetry.logging import get_logger
from shared.values.count import LARGEST_INT
from shared.values.text import Line

log = get_logger(__name__)
Text = Annotated[str, Line(100)]
Url = Annotated[str, StringConstraints(pattern=r"^https?://", strip_whitespace=True)]
#: The domain of the bank's production (docs/wire/epay.md); its test contour is elsewhere.
_REAL_BANK = "homebank.kz"


class CashRegister(BaseModel):
    """A cash register at Webkassa, and what its receipts contain."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cashbox: Text
    #: The register's number at the tax authority. Used where answers do not contain it: a return has to name it.
    registration_number: Text | None = None
    login: Text
    password: SecretStr
    #: VAT that prices contain, in per cent; null: none (TaxType 0).
    vat_percent: Decimal | None = Field(None, ge=0, lt=100, max_digits=5, decimal_places=2)
    #: Webkassa's PositionType of what is sold: 2, a service.
    position_type: int = Field(SERVICE, ge=0, le=LARGEST_INT)
    #: Whether Webkassa gets the buyer's e-mail and telephone. Our own e-mail contains the receipt's address anyway.
    send_contact: bool = False

    @property
    def tax(self) -> Tax:
        """The tax on its receipts."""
        return Tax(self.vat_percent)

    @model_validator(mode="after")
    def _password_is_not_empty(self) -> Self:
        if not self.password.get_secret_value().strip():
            raise ValueError("the password of a cash register is empty")
        return self


class RegisterLogin(BaseModel):
    """Login and password of a shop's cash register; the register itself is `cash_register` in the shop's folder.

    The other fields are deprecated: for this release they count above those of the folder.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    login: Text
    password: SecretStr
    cashbox: Text | None = None
    registration_number: Text | None = None
    vat_percent: Decimal | None = Field(None, ge=0, lt=100, max_digits=5, decimal_places=2)
    position_type: int | None = Field(None, ge=0, le=LARGEST_INT)
    send_contact: bool | None = None

    @model_validator(mode="after")
    def _password_is_not_empty(self) -> Self:
        if not self.password.get_secret_value().strip():
            raise ValueError("the password of a cash register is empty")
        return self


class Settings(ShopSettings):
    """Epay and Webkassa, our own address, the keys of callers, concurrency, rates and intervals."""

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
    public_url: Url = Field(description="our address as the bank reaches it; postLink is below it")
    storefront_keys: dict[str, SecretStr] = Field(description='JSON: {"<storefront>": "<API key>"}')
    check_concurrency: int = Field(64, ge=1, description="concurrent check-status calls that follow webhooks")
    check_first_seconds: float = Field(1.0, gt=0, description="first pause after the answer `in progress`")
    poll_concurrency: int = Field(4, ge=1, description="concurrent check-status calls that follow timers")
    poll_first_seconds: float = Field(20.0, gt=0, description="how long a webhook is waited for")
    poll_longest_seconds: float = Field(3600.0, gt=0, description="longest pause between two check-status calls")
    poll_give_up_seconds: float = Field(86400.0, gt=0, description="an attempt that is unpaid for this long expires")
    asks_per_second: float = Field(
        10.0, gt=0, description="check-status calls that follow no webhook, per second and process"
    )
    payment_lapse_seconds: float = Field(86400.0, gt=0, description="an order that is unpaid for this long lapses")
    storefront_lapse_seconds: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict,
        description="deprecated, for this release only: deadlines.payment_seconds of the shop's folder",
    )
    refund_concurrency: int = Field(8, ge=1)
    refund_wait_seconds: float = Field(3600.0, gt=0, description="how long a refund waits for its capture")

    cash_registers: dict[str, RegisterLogin] = Field(
        default_factory=dict,
        description='JSON: {"<storefront>": {"login", "password"}}; the register itself is in the shop\'s folder',
    )
    webkassa_url: Url | None = Field(None, description="the address that /api/v4 is below")
    webkassa_api_key: SecretStr = SecretStr("")
    webkassa_timeout_seconds: float = Field(10.0, gt=0)

    refund_doubt_seconds: float = Field(
        300.0, gt=0, description="how long a refund call without a reply may still be executed by the bank"
    )
    refund_warn_seconds: float = Field(
        172800.0, gt=0, description="a refund not made is logged so long before its date"
    )
    revenue_after_days: int = Field(30, ge=1, description="days after which an order's funds become revenue")
    reconcile_after_seconds: float = Field(
        7200.0, ge=0, description="after this time past midnight UTC the previous day is compared with the bank"
    )
    chore_seconds: float = Field(15.0, gt=0, description="pause between two rounds of the scheduled jobs")
    chore_margin_seconds: float = Field(
        60.0, gt=0, description="jobs look at older rows only; longer than any transaction (40 s)"
    )
    agent_keys: dict[str, SecretStr] = Field(default_factory=dict, description='JSON: {"<agent>": "<API key>"}')

    def registers(self, shops: Shops) -> dict[str, CashRegister]:
        """The cash registers by storefront. Raises ShopsError where the folder and CASH_REGISTERS do not match."""
        faults = [
            Fault(f"{slug}/shop.toml", "cash_register", "CASH_REGISTERS has no login for it")
            for slug, shop in shops.items()
            if shop.cash_register is not None and slug not in self.cash_registers
        ]
        if self.environment != "production":  # elsewhere a stack without a register is a stack without receipts
            for fault in faults:
                log.warning("no_receipts", reason=str(fault))
            faults = []
        found = {}
        for slug, login in self.cash_registers.items():
            shop = shops.get(slug)
            own = shop.cash_register.model_dump() if shop is not None and shop.cash_register is not None else {}
            given = login.model_dump(exclude_unset=True)
            if moved := sorted(name for name in given.keys() - {"login", "password"} if given[name] != own.get(name)):
                log.warning(
                    "setting_moves_to_shops_dir",
                    setting=f"CASH_REGISTERS[{slug}]: {', '.join(moved)}",
                    now="shop.toml: cash_register",
                    counts_until="next release",
                )
            if "cashbox" not in {**own, **given}:
                faults.append(Fault(f"{slug}/shop.toml", "cash_register", "is not there; CASH_REGISTERS has its login"))
                continue
            found[slug] = CashRegister.model_validate({**own, **given})
        if faults:
            raise ShopsError(faults)
        return found

    @property
    def webhook_url(self) -> str:
        """PostLink and failurePostLink: the bank sends its webhooks there."""
        return f"{self.public_url.rstrip('/')}/epay/webhook"

    @model_validator(mode="after")
    def _webkassa_is_reachable(self) -> Self:
        if self.cash_registers and not (self.webkassa_url and self.webkassa_api_key.get_secret_value()):
            raise ValueError("CASH_REGISTERS needs WEBKASSA_URL and WEBKASSA_API_KEY")
        return self

    @model_validator(mode="after")
    def _sandbox_has_no_real_bank(self) -> Self:
        for name in ("epay_oauth_url", "epay_api_url") if self.sandbox else ():
            host = (urlsplit(getattr(self, name) or "").hostname or "").rstrip(".")
            if f".{host}".endswith(f".{_REAL_BANK}"):
                raise ValueError(f"SANDBOX: {name.upper()} is an address of the bank's production; keys for tests pay")
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
