"""Invariants over all services: their rules, their evaluation, and their violations."""
