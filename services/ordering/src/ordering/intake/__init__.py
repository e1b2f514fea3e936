"""Accepting orders."""
