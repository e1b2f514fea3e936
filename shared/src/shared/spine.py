"""The name under which migrations import `shared.core_tables`: a migration that was released is never edited."""

from shared.core_tables import timestamp, upgrade_v1, upgrade_v2, upgrade_v3

__all__ = ["timestamp", "upgrade_v1", "upgrade_v2", "upgrade_v3"]
