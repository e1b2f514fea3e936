"""Pure decisions about the lifecycle."""
