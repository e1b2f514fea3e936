"""The catalogue's files, and how they are read while the service runs."""

from ordering.catalogue.store import CatalogueFiles

__all__ = ["CatalogueFiles"]
