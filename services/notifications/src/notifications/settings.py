"""Settings, read from environment variables: each field is one, in capitals."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, SecretStr, model_validator

from shared.sealed import new_private_key
from shared.secret_settings import Invented, TestOnly
from shared.shops.settings import ShopSettings

_TWO_DAYS = 2 * 24 * 3600
_FOUR_DAYS = 4 * 24 * 3600
_TWO_WEEKS = 14 * 24 * 3600


class DkimKey(BaseModel):
    """A DKIM key. Its public half is published at `<selector>._domainkey.<domain>`."""

    domain: str = Field(pattern=r"^[a-z0-9.-]+$")
    selector: str = Field(pattern=r"^[a-z0-9-]+$")
    private_key: SecretStr


class Settings(ShopSettings):
    """Settings of the mail server, links, newsletters and the other services."""

    mail_adapter: Annotated[Literal["smtp", "instant"], TestOnly("instant")] = Field(
        "smtp", description="instant renders and sends nothing and reports `delivered`: for benchmarks"
    )
    mail_domain: str = Field("mail.example", pattern=r"^[a-z0-9.-]+$", description="in Message-IDs and EHLO")
    smtp_host: str = "127.0.0.1"
    smtp_port: int = Field(25, ge=1, le=65535)
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_tls: Literal["auto", "starttls", "implicit", "off"] = Field(
        "auto", description="auto: STARTTLS where the server offers it; with a user name as `starttls`"
    )
    smtp_connections: int = Field(8, ge=1, description="kept open; as many emails are sent at once")
    smtp_timeout_seconds: float = Field(30.0, gt=0, description="for connecting and each command")
    #: RFC 5321 section 4.5.3.2.6: the server may need that long after the final dot.
    smtp_final_timeout_seconds: float = Field(600.0, gt=0)
    #: RFC 5321 section 4.5.4.1: give up after 4-5 days of temporary refusals.
    mail_give_up_seconds: float = Field(_FOUR_DAYS, gt=0)

    sms_url: str | None = Field(
        None, pattern=r"^https?://", description="URL of the SMS gateway; without it codes are sent by email"
    )
    sms_key: SecretStr | None = None
    sms_timeout_seconds: float = Field(10.0, gt=0)

    storefront_keys: dict[str, SecretStr] = Field(
        default_factory=dict, description="API keys of storefronts, which may send newsletters"
    )
    agent_keys: dict[str, SecretStr] = Field(
        default_factory=dict, description="API keys of agents, who may send newsletters for any storefront"
    )
    newsletter_connections: int = Field(2, ge=1, description="connections to the mail server for newsletters only")
    newsletters_per_second: float = Field(20.0, gt=0, description="per instance")

    public_url: str = Field(
        "http://127.0.0.1:8004", pattern=r"^https?://[^\s]*[^/\s]$", description="where buyers reach this service"
    )
    #: base64 of 32 bytes; signs links and return paths. A generated one is for tests only: links end with the process.
    link_key: Annotated[SecretStr, Invented()] = Field(default_factory=lambda: SecretStr(new_private_key()))
    reply_key: SecretStr | None = Field(
        None,
        min_length=44,
        max_length=44,
        description="base64 of 32 bytes, the same in notifications and refunds: tags of orders in Reply-To",
    )
    dkim_keys: dict[str, tuple[DkimKey, ...]] = Field(
        default_factory=dict, description='by storefront: [{"domain", "selector", "private_key" (PEM)}]'
    )
    bounce_key: SecretStr | None = Field(
        None,
        min_length=16,
        description="the key that the mail server sends with bounces; without it /bounces is not served",
    )
    gather_seconds: float = Field(
        2.0, gt=0, description="how long the email of an approved refund waits for the bank's answer"
    )
    order_mail_after_seconds: float = Field(
        30.0, gt=0, description="the email that the order is received, if the code is not sent by then"
    )
    delay_mail_after_seconds: float = Field(
        60.0, gt=0, description="the email that the order is delayed, counted from the payment"
    )
    expiry_mail_before_seconds: float = Field(
        _TWO_WEEKS, gt=0, description="not used any more: provisioning announces ends (UNUSED_NOTICE_DAYS)"
    )
    plan_mail_before_seconds: float = Field(
        _TWO_DAYS,
        gt=0,
        description="only for timers of an earlier release: provisioning announces ends (PLAN_NOTICE_DAYS)",
    )
    resend_gap_seconds: float = Field(60.0, gt=0, description="between two emails with the same code")
    refunds_url: str | None = Field(None, pattern=r"^https?://", description="URL of refunds, for the account page")
    refunds_keys: dict[str, SecretStr] = Field(
        default_factory=dict, description="API keys of storefronts at refunds, by storefront"
    )
    ordering_url: str | None = Field(
        None,
        pattern=r"^https?://",
        description="URL of ordering, for corrections and privacy requests on the account page",
    )
    ordering_keys: dict[str, SecretStr] = Field(
        default_factory=dict, description="API keys of storefronts at ordering, by storefront"
    )
    resend_limit: int = Field(5, ge=0, description="how often a code may be sent again, per order")

    @model_validator(mode="after")
    def _complete_pairs(self) -> Self:
        if (self.smtp_username is None) != (self.smtp_password is None):
            raise ValueError("SMTP_USERNAME and SMTP_PASSWORD go together")
        if (self.sms_url is None) != (self.sms_key is None):
            raise ValueError("SMS_URL and SMS_KEY go together")
        return self
