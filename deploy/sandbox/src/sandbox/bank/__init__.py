"""The bank: Halyk Epay as docs/wire/epay.md describes it."""
