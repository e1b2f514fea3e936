"""Orders that fraud control holds before payment (PP 4.5)."""
