"""Reading an activation code (SGP.22 v2.5 section 4.1): `LPA:1$<address>$<matching id>[$<OID>][$1]`."""

from dataclasses import dataclass

_PREFIX = "LPA:1$"
_LEAST, _MOST = 2, 4


class NotAnActivationCodeError(ValueError):
    """The text is none. The message never repeats it."""


@dataclass(frozen=True, slots=True)
class ActivationCode:
    """An activation code taken apart. `text` is the whole, as the QR carries it."""

    text: str
    smdp_address: str
    matching_id: str
    oid: str | None = None
    needs_confirmation_code: bool = False

    @property
    def carddata(self) -> str:
        """The query that both systems' one-tap links end in; all of its characters are legal there as they are."""
        return f"carddata={self.text}"

    @property
    def apple_link(self) -> str:
        return f"https://esimsetup.apple.com/esim_qrcode_provisioning?{self.carddata}"

    @property
    def android_link(self) -> str:
        return f"https://esimsetup.android.com/esim_qrcode_provisioning?{self.carddata}"


def parse(text: str) -> ActivationCode:
    """Take an activation code apart. Raises NotAnActivationCodeError."""
    if not text.startswith(_PREFIX):
        raise NotAnActivationCodeError("an activation code begins with LPA:1$")
    parts = text.removeprefix(_PREFIX).split("$")
    if not _LEAST <= len(parts) <= _MOST or not parts[0]:
        raise NotAnActivationCodeError("an activation code has an address and two to four parts")
    if any(not _is_plain(part) for part in parts):
        raise NotAnActivationCodeError("an activation code has a character that none may have")
    oid, flag = (*parts[2:], "", "")[:2]
    if flag not in {"", "1"}:
        raise NotAnActivationCodeError("the confirmation code flag is 1 or absent")
    return ActivationCode(text, parts[0], parts[1], oid or None, flag == "1")


def _is_plain(part: str) -> bool:
    return part.isascii() and all(character.isalnum() or character in "-.:" for character in part)
