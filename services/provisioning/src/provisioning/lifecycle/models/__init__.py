"""Values of the lifecycle."""
