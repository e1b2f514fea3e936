"""Recovery: what ordering takes from its own events after its database was put back to an earlier moment."""
