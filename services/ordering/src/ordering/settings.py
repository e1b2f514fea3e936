"""Settings of ordering."""

from pathlib import Path

from pydantic import Field, SecretStr

from shared.kernel.settings import ServiceSettings


class Settings(ServiceSettings):
    """What ordering needs beyond the common settings."""

    #: No buyer waits for what this service reads; see the field in ServiceSettings.
    consumer_pause_seconds: float = Field(0.05, ge=0, le=5)

    storefront_keys: dict[str, SecretStr] = Field(
        default_factory=dict,
        description='API keys as JSON, {"storefront": "key"}; a shop without one has no HTTP access',
    )
    catalogue_dir: Path | None = Field(None, description="folder of *.toml files; the packaged catalogue by default")
    session_retention_days: int = Field(365, ge=1, description="how long a checkout's IP and browser are kept (PP 4.5)")
