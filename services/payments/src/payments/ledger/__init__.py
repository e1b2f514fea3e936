"""The double-entry ledger of every order."""
