"""A reseller with an API of its own: Airalo Partner API v2 (interfaces.md §4)."""
