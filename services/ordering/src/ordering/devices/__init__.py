"""Devices that support eSIM, which a shop can show and search before its buyer confirms compatibility (PO 5.1)."""
