"""What a fact says, as values: pure, without I/O."""
