"""Calls to operators: profiles are made, withdrawn, and kept in stock."""
