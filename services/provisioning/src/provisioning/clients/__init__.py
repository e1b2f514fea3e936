"""Clients of operators: their wire formats, and typed outcomes of calls."""
