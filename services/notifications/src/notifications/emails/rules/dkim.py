"""DKIM (RFC 6376, RFC 8463): signatures by which mail servers verify that the storefront's domain sent an email.

Implemented here, because dkimpy needs 24 ms of CPU per email (its RSA is written in Python). A test verifies the
signatures with that library.
"""

import base64
import hashlib
import re
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

#: The signed header fields; `from` twice, so that nobody can put a second one before ours.
_SIGNED = (
    "from",
    "from",
    "to",
    "subject",
    "date",
    "message-id",
    "reply-to",
    "in-reply-to",
    "references",
    "mime-version",
    "content-type",
    "auto-submitted",
    "list-unsubscribe",
    "list-unsubscribe-post",
)
_FOLD = re.compile(rb"\r\n(?=[ \t])")
_SPACE = re.compile(rb"[ \t]+")
_LINE = 70


class NotASigningKeyError(ValueError):
    """The key is not one that DKIM supports. The message never repeats it."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Signs for one domain: called with a whole message, it returns the header to put before it."""

    domain: str
    selector: str
    key: RSAPrivateKey | Ed25519PrivateKey

    @classmethod
    def of(cls, domain: str, selector: str, pem: str) -> "Signature":
        """From a private key in PEM: RSA or Ed25519. Raises NotASigningKeyError."""
        try:
            key = load_pem_private_key(pem.encode(), password=None)
        except (ValueError, TypeError):
            raise NotASigningKeyError("a DKIM key is a private key in PEM, without a password") from None
        if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
            raise NotASigningKeyError("a DKIM key is RSA or Ed25519")
        return cls(domain, selector, key)

    def __call__(self, mail: bytes) -> bytes:
        """The DKIM-Signature header with its line end; relaxed headers, simple body."""
        head, _, body = mail.partition(b"\r\n\r\n")
        digest = base64.b64encode(hashlib.sha256(body.rstrip(b"\r\n") + b"\r\n").digest()).decode()
        algorithm = "rsa-sha256" if isinstance(self.key, RSAPrivateKey) else "ed25519-sha256"
        fields = _fields(head)
        signed = [name for name in _SIGNED if name.encode() in fields]
        unsigned = (
            f"DKIM-Signature: v=1; a={algorithm}; c=relaxed/simple; d={self.domain}; s={self.selector};\r\n"
            f" h={':'.join(signed)};\r\n bh={digest};\r\n b="
        ).encode()
        lines = [_relaxed(fields[name.encode()]) for name in dict.fromkeys(signed)]
        signature = base64.b64encode(self._sign(b"\r\n".join([*lines, _relaxed(unsigned)]))).decode()
        folded = "\r\n ".join(signature[at : at + _LINE] for at in range(0, len(signature), _LINE))
        return unsigned + folded.encode() + b"\r\n"

    def _sign(self, text: bytes) -> bytes:
        if isinstance(self.key, RSAPrivateKey):
            return self.key.sign(text, PKCS1v15(), SHA256())
        return self.key.sign(hashlib.sha256(text).digest())


def _fields(head: bytes) -> dict[bytes, bytes]:
    """Header fields by lower-case name; our messages have each once."""
    return {line.partition(b":")[0].strip().lower(): line for line in _FOLD.sub(b"", head).split(b"\r\n")}


def _relaxed(field: bytes) -> bytes:
    """Relaxed header canonicalization (RFC 6376 section 3.4.2)."""
    name, _, value = _FOLD.sub(b"", field).partition(b":")
    return name.strip().lower() + b":" + _SPACE.sub(b" ", value).strip()
