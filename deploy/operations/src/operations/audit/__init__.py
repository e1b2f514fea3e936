"""The audit log: who did what on the pages, to what, why, and with which outcome."""

from operations.audit.store import KIND, AuditLog, journal, record

__all__ = ["KIND", "AuditLog", "journal", "record"]
