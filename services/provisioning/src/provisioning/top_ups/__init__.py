"""Top-ups: a paid order extends the data and validity of an eSIM."""

from provisioning.top_ups.store import extend

__all__ = ["extend"]
