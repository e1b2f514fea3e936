"""The values that an email is composed from."""
