"""Webkassa: its HTTP client and its wire format (docs/wire/webkassa.md)."""
