"""The operator: an SM-DP+ spoken to over ES2+, and its usage feed (docs/wire/es2plus.md)."""
