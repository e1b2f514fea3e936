"""HTTP endpoints of the lifecycle."""
