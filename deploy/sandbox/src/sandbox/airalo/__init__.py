"""A reseller with an API of its own: Airalo Partner API v2 (docs/wire/airalo.md)."""
