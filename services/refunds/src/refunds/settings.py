"""What refunds is told from outside; the environment variables are the field names in capitals."""

from typing import Self

from pydantic import Field, SecretStr, model_validator

from shared.kernel.settings import ServiceSettings


class Settings(ServiceSettings):
    """Who may look at cases."""

    #: No buyer waits for what this service reads; see the field in ServiceSettings.
    consumer_pause_seconds: float = Field(0.05, ge=0, le=5)

    agent_keys: dict[str, SecretStr] = Field(description='JSON: {"<agent>": "<API key>"}')

    @model_validator(mode="after")
    def _keys_are_keys(self) -> Self:
        if not all(key.get_secret_value().strip() for key in self.agent_keys.values()):
            raise ValueError("AGENT_KEYS holds an empty key")
        return self
