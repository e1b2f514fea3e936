"""How a shop looks, from `brand/brand.toml`."""

from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from shared.shops.entry import Entry

#: WCAG 2.2, success criterion 1.4.3: text of normal size on its ground.
_CONTRAST = 4.5
_LINEAR_BELOW = 0.04045


def _readable(colour: str) -> str:
    if (contrast := 1.05 / (_luminance(colour) + 0.05)) < _CONTRAST:
        raise ValueError(f"white text on it has a contrast of {contrast:.1f}:1; it needs {_CONTRAST}:1")
    return colour


def _luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it: 0 black, 1 white."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= _LINEAR_BELOW else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


class Brand(Entry):
    """Colours of e-mails and of the account page. `accent` is the ground of white text."""

    accent: Annotated[str, StringConstraints(pattern=r"^#[0-9a-f]{6}$"), AfterValidator(_readable)]
