"""Clients of systems outside: wire format out and in, a typed outcome back."""
