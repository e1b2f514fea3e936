"""Emails that the mail server accepted and that came back later (RFC 3464)."""
