"""The audit log: who did what on the pages, to what, why, and how it ended."""
