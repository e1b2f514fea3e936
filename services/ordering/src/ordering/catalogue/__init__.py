"""The catalogue: storefronts, their documents in force, and plans with prices."""

from ordering.catalogue.store import CatalogueFiles

__all__ = ["CatalogueFiles"]
