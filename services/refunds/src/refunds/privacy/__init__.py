"""Erasure of a buyer's personal data, and the export of it (PP 6.2)."""
