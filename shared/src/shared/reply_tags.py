"""Tags in the Reply-To of our mails: an answer says by its recipient which order it is about.

`support+<tag>@shop.example` (sub-addressing, RFC 5233). A tag is the order's id and a MAC of it under a key that only
notifications and refunds have: opaque, without personal data, and nobody can make one up. It proves no sender.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Iterable
from uuid import UUID

_MAC = 6
_ID = 16
_TAG = re.compile(r"\+([a-z2-7]{36})@", re.IGNORECASE)
_LONGEST_LOCAL = 64
_PADDING = "===="


class ReplyTags:
    """Makes and reads tags. `key`: base64 of 32 bytes."""

    def __init__(self, key: str) -> None:
        self._key = hmac.digest(base64.b64decode(key, validate=True), b"reply tags", "sha256")

    def address(self, support: str, order_id: UUID) -> str:
        """The support address with the order's tag; as it is where a tag would make it too long."""
        local, _, domain = support.rpartition("@")
        whole = order_id.bytes + self._mac(order_id.bytes)
        tagged = f"{local}+{base64.b32encode(whole).decode().rstrip('=').lower()}"
        return support if len(tagged) > _LONGEST_LOCAL else f"{tagged}@{domain}"

    def order_of(self, addresses: Iterable[str]) -> UUID | None:
        """The order that one of these recipients names; None: none is tagged by us."""
        for address in addresses:
            found = _TAG.search(address)
            if found is None:
                continue
            try:
                whole = base64.b32decode(found[1].upper() + _PADDING)
            except binascii.Error:
                continue
            order_id, mac = whole[:_ID], whole[_ID:]
            if hmac.compare_digest(mac, self._mac(order_id)):
                return UUID(bytes=order_id)
        return None

    def _mac(self, order_id: bytes) -> bytes:
        return hmac.digest(self._key, order_id, "sha256")[:_MAC]
