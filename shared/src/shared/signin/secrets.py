"""Hashes of the secrets that browsers hold."""

import hashlib


def digest(secret: str) -> bytes:
    """SHA-256 of a random token or of a subject's name."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()
