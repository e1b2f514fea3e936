"""An SMS gateway, and the phones behind it."""
