"""Stock: profiles that are generated before they are sold."""

from provisioning.stock.store import Stock

__all__ = ["Stock"]
