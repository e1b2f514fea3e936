"""Orders that fraud control holds before payment, until an agent releases or refuses them (PP 4.5)."""

from ordering.holds.actions import screen

__all__ = ["screen"]
