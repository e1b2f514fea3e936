"""The operator: an SM-DP+ spoken to over ES2+, and its usage feed (interfaces.md §3)."""
