"""Lifecycle: what becomes of a profile after it was generated."""
