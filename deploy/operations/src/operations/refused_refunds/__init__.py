"""Refunds that the bank refused and that wait for a person."""
