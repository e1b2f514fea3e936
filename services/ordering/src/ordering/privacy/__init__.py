"""Privacy requests (PP 6.2)."""
