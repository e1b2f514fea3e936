"""Clients of the systems outside this service."""
