"""Searches devices as people write their names."""

import re
import unicodedata
from collections.abc import Iterable

from ordering.devices.models import Device

_WORD = re.compile(r"[0-9]+|[^\W\d_]+|\+")


def words(text: str) -> list[str]:
    """The words and numbers of a name, without case, accents, spaces and hyphens: `Galaxy-S21+` is galaxy, s, 21, +."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return _WORD.findall(plain.casefold())


def search(devices: Iterable[Device], text: str) -> tuple[Device, ...]:
    """The devices whose name has every word of the text, the last one perhaps unfinished; all for a blank text."""
    *whole, last = words(text) or [""]
    found = []
    for device in devices:
        name = words(f"{device.maker} {device.model}")
        if all(word in name for word in whole) and any(word.startswith(last) for word in name):
            found.append(device)
    return tuple(found)
