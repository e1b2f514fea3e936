"""QR codes: read from a mail's picture, and drawn again in characters that a phone can scan from a terminal."""

import io

import qrcode
import zxingcpp
from PIL import Image
from qrcode.constants import ERROR_CORRECT_L

#: Modules of light around the code. Four by the standard; readers are content with two, and terminals are small.
QUIET_ZONE = 2
_MASK = 2  # any of the eight will do; trying all takes five times as long
#: What a cell shows, by whether its upper and its lower module are inked.
_CELLS = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def read(picture: bytes) -> str | None:
    """The text of the QR code in a PNG, by a reader that shares no code with the writer; None when it finds none."""
    with Image.open(io.BytesIO(picture)) as image:
        found = zxingcpp.read_barcodes(image.convert("L"))
    return str(found[0].text) if found else None


def matching_id(activation_code: str) -> str:
    """The third part of `LPA:1$<SM-DP+ address>$<matching id>`; empty when it is no activation code."""
    parts = activation_code.split("$")
    return parts[2] if len(parts) > 2 and parts[0] == "LPA:1" else ""  # noqa: PLR2004 - SGP.22 section 4.1


def draw(text: str, *, ink_is_dark: bool) -> list[str]:
    """The code in half blocks, one string per two rows of modules.

    `ink_is_dark`: the blocks are dark modules (black on a white ground); otherwise the blocks are the light ones, for
    a terminal whose colours cannot be set and that writes light on dark.
    """
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_L, border=QUIET_ZONE, mask_pattern=_MASK)
    code.add_data(text)
    code.make(fit=True)
    rows = [[module is ink_is_dark for module in row] for row in code.get_matrix()]
    if len(rows) % 2:
        rows.append([not ink_is_dark] * len(rows[0]))
    return [
        "".join(_CELLS[above, below] for above, below in zip(rows[at], rows[at + 1], strict=True))
        for at in range(0, len(rows), 2)
    ]
