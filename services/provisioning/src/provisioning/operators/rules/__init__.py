"""Pure decisions about operators."""
