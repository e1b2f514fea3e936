"""What is stored of a secret that a browser holds."""

import hashlib


def digest(secret: str) -> bytes:
    """SHA-256 of a random token or of a subject's name."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()
