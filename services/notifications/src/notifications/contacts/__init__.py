"""Addresses of buyers, copied from the compacted topic of ordering."""
