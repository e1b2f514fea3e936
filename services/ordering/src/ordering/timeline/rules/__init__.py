"""Status and sentences, derived from facts."""
