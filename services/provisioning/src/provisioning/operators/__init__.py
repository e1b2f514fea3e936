"""Operators: which one sells a plan, and whether it may be called now."""

from provisioning.operators.identities import new_identities, own_identity
from provisioning.operators.registry import Operators

__all__ = ["Operators", "new_identities", "own_identity"]
