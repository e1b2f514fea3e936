"""Reminders about eSIMs that soon stop working: their data runs low, or their end approaches."""
