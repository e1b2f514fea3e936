"""Emails about refunds and claims."""
