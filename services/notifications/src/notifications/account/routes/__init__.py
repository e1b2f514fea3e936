"""HTTP endpoints of the account page."""
