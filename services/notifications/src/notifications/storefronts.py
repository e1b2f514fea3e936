"""The storefronts that write to buyers, from the packaged `storefronts.toml`."""

import tomllib
from importlib.resources import files

from notifications.emails import Storefront


def load() -> dict[str, Storefront]:
    """Storefronts by slug. Raises TypeError where an entry is incomplete."""
    text = (files("notifications") / "storefronts.toml").read_text("utf-8")
    return {slug: Storefront(**entry) for slug, entry in tomllib.loads(text).items()}
