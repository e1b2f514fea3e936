"""Refunds of money through the bank."""
