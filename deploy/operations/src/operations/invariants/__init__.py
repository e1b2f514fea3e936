"""Invariants over all services: their rules, their evaluation, and their violations."""

from operations.invariants.store import all_invariants, find_invariant

__all__ = ["all_invariants", "find_invariant"]
