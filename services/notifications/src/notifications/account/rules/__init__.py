"""What the account page shows, decided without I/O."""
