"""Attempts to pay an order, and the one capture that an order keeps."""
