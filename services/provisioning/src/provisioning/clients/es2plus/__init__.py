"""SM-DP+ servers over ES2+ (SGP.22 v2.5)."""
