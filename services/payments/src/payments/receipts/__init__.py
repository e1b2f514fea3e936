"""Fiscal receipts: what is to be receipted, the cash registers' turns, and Webkassa."""
