"""Recovers a service whose database was put back to an earlier moment (docs/how-to/restore-a-database.md).

`python -m <service> recover --since MOMENT` runs it, after the database was put back and before the service starts.
"""
