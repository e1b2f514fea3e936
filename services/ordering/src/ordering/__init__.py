"""Ordering: the catalogue, the intake of orders, their derived status, and the buyer's timeline."""
