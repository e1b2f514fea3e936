"""Export and erasure of a buyer's data (PP 6.2)."""
