"""The chat of a shop's site: the shop's own server hands in what its visitor writes, and fetches the answers."""
