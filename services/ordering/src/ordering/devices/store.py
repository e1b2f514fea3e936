"""Reads the list of devices, which is packaged with this service."""

import tomllib
from functools import cache
from pathlib import Path

from ordering.devices.models import DeviceList

_FILE = Path(__file__).parent / "devices.toml"


@cache
def device_list() -> DeviceList:
    """The list. Raises ValueError where the file is not a valid list, which a test excludes."""
    return DeviceList.model_validate(tomllib.loads(_FILE.read_text(encoding="utf-8")))
