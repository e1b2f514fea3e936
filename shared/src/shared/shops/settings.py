"""The setting of services that read the shops' folder."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from shared.kernel.settings import ServiceSettings
from shared.telemetry.logging import get_logger

log = get_logger(__name__)


class ShopSettings(ServiceSettings):
    """Where the shops are."""

    shops_dir: Path = Field(Path("shops"), description="the folder with a folder for each shop")


def warn_of_overrides(settings: ShopSettings, places: Mapping[str, str]) -> None:
    """Log settings that were given although their values belong into the shops' folder now: by field, the place there.

    They count for one release more, above what the folder says.
    """
    for field, place in places.items():
        if field in settings.model_fields_set and getattr(settings, field):
            log.warning("setting_moves_to_shops_dir", setting=field.upper(), now=place, counts_until="next release")
