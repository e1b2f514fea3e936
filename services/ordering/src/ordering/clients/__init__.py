"""Systems outside of this service."""
