"""The routes of the operations pages."""
