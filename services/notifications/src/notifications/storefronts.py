"""Reads the storefronts that emails come from: the packaged file `storefronts.toml`."""

import tomllib
from importlib.resources import files

from notifications.emails import Storefront


def load() -> dict[str, Storefront]:
    """Storefronts by slug. Raises TypeError if an entry is incomplete."""
    text = (files("notifications") / "storefronts.toml").read_text("utf-8")
    return {slug: Storefront(**entry) for slug, entry in tomllib.loads(text).items()}
