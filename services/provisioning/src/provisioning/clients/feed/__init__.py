"""The operator's own HTTP port beside ES2+: install state, usage and top-ups."""
