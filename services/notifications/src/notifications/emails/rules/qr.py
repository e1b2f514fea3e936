"""The QR code as a PNG: dark on light in every colour scheme, large enough, with its quiet zone."""

import base64
import struct
import zlib

import qrcode
from qrcode.constants import ERROR_CORRECT_M

#: Modules of light around the code (ISO/IEC 18004 section 5.3.8).
QUIET_ZONE = 4
MIN_PIXELS = 300
#: One fixed mask: choosing among all eight costs five times as much, and readers work with any.
_MASK = 2
_PIXELS_PER_BYTE = 8


def picture(text: str) -> tuple[int, bytes]:
    """The side in pixels (at least 300) and a square PNG of one bit each.

    Encoded here, because an image library takes twice as long and images are the largest cost of this service.
    """
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_M, border=QUIET_ZONE, mask_pattern=_MASK)
    code.add_data(text)
    code.make(fit=True)
    matrix = code.get_matrix()
    # A module is one or two bytes wide, so that rows need no padding.
    scale = _PIXELS_PER_BYTE * -(-MIN_PIXELS // (len(matrix) * _PIXELS_PER_BYTE))
    dark, light = b"\x00" * (scale // _PIXELS_PER_BYTE), b"\xff" * (scale // _PIXELS_PER_BYTE)
    rows = (b"\x00" + b"".join(dark if module else light for module in row) for row in matrix)
    pixels = b"".join(row * scale for row in rows)
    side = len(matrix) * scale
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)  # one bit, greyscale
    return side, b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(pixels)) + _chunk(
        b"IEND", b""
    )


def data_uri(text: str) -> str:
    """The picture as a data URI, for pages."""
    return f"data:image/png;base64,{base64.b64encode(picture(text)[1]).decode()}"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
