"""Operators: which one sells a plan, and whether it may be called now."""
