"""The daily comparison of the ledger with the bank."""
