"""Activation codes (SGP.22 v2.5 section 4.1): `LPA:1$<address>$<matching id>[$<OID>[$1]]`.

They are bearer secrets: whoever has one can install the profile. So `repr` shows none of it, and no error does.
"""

import re
from dataclasses import dataclass, field

from shared.values.refusal import InvalidValueError

_PREFIX, _FORMAT = "LPA:", "1"
#: A QR code of this length is still read from a phone's screen.
LONGEST = 255
_LEAST, _MOST = 3, 7
#: All of its parts.
_PLAIN = re.compile(r"[A-Za-z0-9.:$-]*")


@dataclass(frozen=True, slots=True)
class ActivationCode:
    """A parsed activation code. `text` is the whole code, as in the QR."""

    text: str = field(repr=False)
    smdp_address: str
    matching_id: str = field(repr=False)
    oid: str | None = None
    needs_confirmation_code: bool = False

    @classmethod
    def parse(cls, text: str) -> "ActivationCode":
        """Parse an activation code. Raises InvalidValueError.

        The prefix may be missing or in small letters, as resellers write it. Parts after the flag are newer releases'
        (SGP.22 v3): they travel in `text` and are not read.
        """
        plain = text.strip()
        if plain[: len(_PREFIX)].upper() == _PREFIX:
            plain = plain[len(_PREFIX) :]
        parts = plain.split("$")
        if parts[0] != _FORMAT:
            raise InvalidValueError("an activation code begins with LPA:1$")
        if not _LEAST <= len(parts) <= _MOST or not parts[1] or len(plain) + len(_PREFIX) > LONGEST:
            raise InvalidValueError("an activation code has an address, a matching id and at most 255 characters")
        if not _PLAIN.fullmatch(plain):
            raise InvalidValueError("an activation code has a character that none may have")
        oid, flag = (*parts[3:], "", "")[:2]
        if flag not in {"", "1"}:
            raise InvalidValueError("the confirmation code flag is 1 or absent")
        return cls(_PREFIX + plain, parts[1], parts[2], oid or None, flag == "1")

    @classmethod
    def of(
        cls, smdp_address: str, matching_id: str, *, oid: str = "", confirmation_code: bool = False
    ) -> "ActivationCode":
        """Build the code from its parts; `confirmation_code`: the phone must ask for one. Raises InvalidValueError."""
        if not matching_id or "$" in smdp_address + matching_id + oid:
            raise InvalidValueError("a part of the activation code is missing or holds its separator")
        tail = f"${oid}$1" if confirmation_code else f"${oid}" if oid else ""
        return cls.parse(f"{_PREFIX}{_FORMAT}${smdp_address}${matching_id}{tail}")

    @property
    def carddata(self) -> str:
        """The query that both systems' one-tap links end in; all of its characters are legal there as they are."""
        return f"carddata={self.text}"

    @property
    def apple_link(self) -> str:
        """Opens the installation on iOS 17.4 and later."""
        return f"https://esimsetup.apple.com/esim_qrcode_provisioning?{self.carddata}"

    @property
    def android_link(self) -> str:
        """Opens the installation on Android 10 and later."""
        return f"https://esimsetup.android.com/esim_qrcode_provisioning?{self.carddata}"
