"""Status and sentences, derived from facts: pure functions."""
