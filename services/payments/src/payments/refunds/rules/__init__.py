"""Pure decisions about refunds."""
