"""What refunds is told from outside; the environment variables are the field names in capitals."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from shared.signin.settings import SignInSettings


class TelegramBot(BaseModel):
    """A storefront's bot: its token, and the `secret_token` that its webhook was set with."""

    model_config = ConfigDict(extra="forbid")

    token: SecretStr = Field(min_length=1)
    secret: SecretStr = Field(min_length=1)


class Settings(SignInSettings):
    """Who may ask and look, how agents sign in, how long things may take."""

    #: No buyer waits for what this service reads; see the field in ServiceSettings.
    consumer_pause_seconds: float = Field(0.05, ge=0, le=5)

    agent_keys: dict[str, SecretStr] = Field(description='JSON: {"<agent>": "<API key>"}')
    storefront_keys: dict[str, SecretStr] = Field(
        default_factory=dict, description='JSON: {"<storefront>": "<API key>"}; without it shops cannot ask'
    )
    observation_patience_hours: float = Field(
        24, gt=0, description="an operator that has not said so long how a profile is: a person acts"
    )
    storefront_observation_patience_hours: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict, description='JSON: {"<storefront>": hours} where a storefront has a patience of its own'
    )
    observation_retry_seconds: float = Field(
        300, gt=0, description="the operator that does not know is asked again after this, later more seldom"
    )
    notes_keep_days: int = Field(1095, ge=1, description="what people wrote about a case is deleted after this")

    oidc_agent_role: str = Field("refunds-agent", description="whoever has it is an agent")
    oidc_supervisor_role: str = Field("refunds-supervisor", description="whoever has it is a supervisor")

    telegram_bots: dict[str, TelegramBot] = Field(
        default_factory=dict, description='JSON: {"<storefront>": {"token": "…", "secret": "…"}}; without it no bot'
    )
    telegram_api_url: str = Field("https://api.telegram.org", description="the Bot API's base address")
    telegram_keep_days: int = Field(90, ge=1, description="a chat is forgotten so long after its last message")

    @model_validator(mode="after")
    def _keys_are_keys(self) -> Self:
        for name, keys in (("AGENT_KEYS", self.agent_keys), ("STOREFRONT_KEYS", self.storefront_keys)):
            if not all(key.get_secret_value().strip() for key in keys.values()):
                raise ValueError(f"{name} holds an empty key")
        return self
