"""Clients of the systems outside: Epay (the bank) and Webkassa (fiscal receipts)."""
