"""Recovery: what payments takes from its own events, and asks the bank, after its database was put back."""
