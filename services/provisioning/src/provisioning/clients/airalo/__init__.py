"""Airalo Partner API v2, a reseller (docs/wire/airalo.md)."""
