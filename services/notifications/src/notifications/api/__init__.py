"""HTTP: what mail servers hand in, and the buyer's account page."""
