"""Halyk Epay: its HTTP client and its wire formats (docs/wire/epay.md)."""
