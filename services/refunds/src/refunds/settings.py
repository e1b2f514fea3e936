"""Settings, read from environment variables: the names of the fields in capitals."""

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from shared.contracts import Language
from shared.secret_settings import MayBeShared
from shared.shops.settings import ShopSettings
from shared.signin.settings import SignInSettings


class TelegramBot(BaseModel):
    """A storefront's bot: its token, and the `secret_token` that its webhook was set with."""

    model_config = ConfigDict(extra="forbid")

    token: SecretStr = Field(min_length=1)
    secret: SecretStr = Field(min_length=1)


class WhatsAppNumber(BaseModel):
    """A storefront's number at the WhatsApp Cloud API.

    `app_secret` signs webhooks, `verify_token` is what the webhook was set up with. `template`: an approved template
    without parameters, which says that there is news; it is sent where the buyer wrote more than 24 hours ago.
    Shops whose numbers are of one app have its secrets in common.
    """

    model_config = ConfigDict(extra="forbid")

    phone_number_id: str = Field(pattern=r"^[0-9]{1,30}$")
    token: Annotated[SecretStr, MayBeShared()] = Field(min_length=1)
    app_secret: Annotated[SecretStr, MayBeShared()] = Field(min_length=1)
    verify_token: Annotated[SecretStr, MayBeShared()] = Field(min_length=1)
    template: str = Field("", pattern=r"^[a-z0-9_]{0,512}$")
    template_languages: tuple[Language, ...] = Field(("en",), min_length=1)


class MailboxAccount(BaseModel):
    """How a shop's mailbox is reached. `days`: mails that arrived earlier are left alone."""

    model_config = ConfigDict(extra="forbid")

    host: str = Field(min_length=1)
    port: int = Field(993, ge=1, le=65535)
    security: Literal["tls", "none"] = "tls"
    username: str = Field(min_length=1)
    password: SecretStr = Field(min_length=1)
    folder: str = "INBOX"
    days: int = Field(30, ge=1, le=366)


class LmtpListener(BaseModel):
    """Where shops' own mail servers hand in mail by LMTP. `clients`: the only networks that may connect."""

    model_config = ConfigDict(extra="forbid")

    host: str = Field("127.0.0.1", min_length=1)
    port: int = Field(ge=0, le=65535)
    clients: tuple[IPv4Network | IPv6Network, ...] = Field(
        (IPv4Network("127.0.0.1/32"), IPv6Network("::1/128")), min_length=1
    )


class Settings(SignInSettings, ShopSettings):
    """API keys, sign-in of agents, time limits, and the Telegram bots."""

    #: No buyer waits for events to be handled here; see the field in ServiceSettings.
    consumer_pause_seconds: float = Field(0.05, ge=0, le=5)

    agent_keys: dict[str, SecretStr] = Field(description='JSON: {"<agent>": "<API key>"}')
    storefront_keys: dict[str, SecretStr] = Field(
        default_factory=dict, description='JSON: {"<storefront>": "<API key>"}; without it shops cannot ask'
    )
    observation_patience_hours: float = Field(
        24, gt=0, description="a person has to act when an operator has not reported for so long"
    )
    storefront_observation_patience_hours: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict,
        description="deprecated, for this release only: deadlines.observation_hours of the shop's folder",
    )
    observation_retry_seconds: float = Field(
        300, gt=0, description="a report without an answer is requested again after this, later with longer pauses"
    )
    deadline_alert_hours: float = Field(
        24, gt=0, description="agents of a shop with [alerts] are alerted so long before a deadline passes"
    )
    notes_keep_days: int = Field(1095, ge=1, description="what people wrote about a case is deleted after this")

    oidc_agent_role: str = Field("refunds-agent", description="the role of an agent")
    oidc_viewer_role: str = Field("refunds-viewer", description="the role of somebody who reads and changes nothing")
    oidc_supervisor_role: str = Field("refunds-supervisor", description="the role of a supervisor")

    telegram_bots: dict[str, TelegramBot] = Field(
        default_factory=dict, description='JSON: {"<storefront>": {"token": "…", "secret": "…"}}; without it no bot'
    )
    telegram_api_url: str = Field("https://api.telegram.org", description="the Bot API's base address")
    telegram_keep_days: int = Field(90, ge=1, description="a chat is deleted so long after its last message")

    whatsapp_numbers: dict[str, WhatsAppNumber] = Field(
        default_factory=dict,
        description='JSON: {"<storefront>": {"phone_number_id": "…", "token": "…", "app_secret": "…", '
        '"verify_token": "…", "template": "…", "template_languages": ["ru"]}}; without it no WhatsApp',
    )
    whatsapp_api_url: str = Field("https://graph.facebook.com/v23.0", description="the Graph API with its version")
    whatsapp_keep_days: int = Field(90, ge=1, description="a chat is deleted so long after its last message")

    site_chat_keep_days: int = Field(90, ge=1, description="a conversation is deleted so long after its last message")

    support_mail_keys: dict[str, SecretStr] = Field(
        default_factory=dict,
        description='JSON: {"<storefront>": "<key>"} of who hands in mails; without it /support-mails is not served',
    )

    reply_key: SecretStr | None = Field(
        None,
        min_length=44,
        max_length=44,
        description="base64 of 32 bytes, the same in notifications and refunds: tags of orders in Reply-To",
    )
    notifications_seal_public_key: str | None = Field(
        None, description="base64; without it answers to e-mails are mails of their own, outside the buyer's thread"
    )
    support_mailboxes: dict[str, MailboxAccount] = Field(
        default_factory=dict,
        description='JSON: {"<storefront>": {"host": "…", "username": "…", "password": "…"}}, read by IMAP',
    )
    support_lmtp: LmtpListener | None = Field(
        None,
        description='JSON: {"host": "0.0.0.0", "port": 8024, "clients": ["10.1.2.3/32"]}: mail servers hand in mails '
        "for the shops' addresses by LMTP; without it nothing listens",
    )

    services: dict[str, str] = Field(
        default_factory=dict,
        description="base URLs of ordering, payments, provisioning and notifications, which the agents' pages read: "
        '{"ordering": "http://..."}',
    )
    services_key: SecretStr | None = Field(
        None, min_length=1, description="an agent's key (AGENT_KEYS) of those services; without it they are not read"
    )

    @model_validator(mode="after")
    def _keys_are_keys(self) -> Self:
        for name, keys in (
            ("AGENT_KEYS", self.agent_keys),
            ("STOREFRONT_KEYS", self.storefront_keys),
            ("SUPPORT_MAIL_KEYS", self.support_mail_keys),
        ):
            if not all(key.get_secret_value().strip() for key in keys.values()):
                raise ValueError(f"{name} holds an empty key")
        numbers = [number.phone_number_id for number in self.whatsapp_numbers.values()]
        if len(numbers) != len(set(numbers)):
            raise ValueError("WHATSAPP_NUMBERS has one phone_number_id for several storefronts")
        return self
