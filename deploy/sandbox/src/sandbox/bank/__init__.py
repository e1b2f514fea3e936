"""The bank: Halyk Epay as interfaces.md §1 describes it."""
