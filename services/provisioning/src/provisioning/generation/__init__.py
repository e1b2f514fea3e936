"""Generation: one eSIM profile for each paid order, at the first operator that can make it."""

from provisioning.generation.early_expiry import EarlyExpiries
from provisioning.generation.publishing import GenerationListener

__all__ = ["EarlyExpiries", "GenerationListener"]
