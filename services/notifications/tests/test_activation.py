import string

import pytest
import zxingcpp
from hypothesis import example, given, settings
from hypothesis import strategies as st

from notifications.emails.rules.qr import MIN_PIXELS, picture
from shared.values.activation_code import ActivationCode
from shared.values.refusal import InvalidValueError

HOSTS = st.from_regex(r"[a-z0-9]{1,12}(\.[a-z0-9]{1,12}){0,3}", fullmatch=True)
MATCHING_IDS = st.text(string.ascii_uppercase + string.digits + "-", max_size=40)
OIDS = st.none() | st.from_regex(r"[0-2](\.[0-9]{1,4}){1,5}", fullmatch=True)


def _text(host: str, matching_id: str, oid: str | None, flag: bool) -> str:
    if oid:
        return f"LPA:1${host}${matching_id}${oid}" + ("$1" if flag else "")
    return f"LPA:1${host}${matching_id}" + ("$$1" if flag else "")


@given(HOSTS, MATCHING_IDS, OIDS, st.booleans())
def test_every_form_is_read(host: str, matching_id: str, oid: str | None, flag: bool) -> None:
    text = _text(host, matching_id, oid, flag)
    assert ActivationCode.parse(text) == ActivationCode(text, host, matching_id, oid, flag)


@given(st.text(max_size=80))
@example("LPA:1$")
@example("LPA:1$$A")
@example("LPA:1$host")
@example("LPA:1$host$A$1.2$2")
@example('LPA:1$host$A"><script>')
@example("2$host$A")
def test_anything_else_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(InvalidValueError) as refused:
        ActivationCode.parse(text)
    assert len(text) < 12 or text not in str(refused.value)


def test_links() -> None:
    code = ActivationCode.parse("LPA:1$smdp.example$ABC-123")
    query = "esim_qrcode_provisioning?carddata=LPA:1$smdp.example$ABC-123"
    assert code.apple_link == f"https://esimsetup.apple.com/{query}"
    assert code.android_link == f"https://esimsetup.android.com/{query}"


@given(HOSTS, MATCHING_IDS, OIDS, st.booleans())
@settings(max_examples=40, deadline=None)
def test_another_reader_reads_the_qr(host: str, matching_id: str, oid: str | None, flag: bool) -> None:
    text = _text(host, matching_id, oid, flag)
    side, png = picture(text)
    pixels = _pixels(png)
    assert (len(pixels), len(pixels[0])) == (side, side)
    assert side >= MIN_PIXELS
    [found] = zxingcpp.read_barcodes(_grey(pixels))
    assert found.text == text
    assert found.format == zxingcpp.BarcodeFormat.QRCode
    assert _quiet_zone(pixels) >= 4


def _pixels(png: bytes) -> list[list[int]]:
    from io import BytesIO  # noqa: PLC0415 - an independent PNG reader

    from PIL import Image  # noqa: PLC0415 - as above

    with Image.open(BytesIO(png)) as image:
        grey = image.convert("L")
        width, height = grey.size
        flat = list(grey.tobytes())
    return [flat[row * width : (row + 1) * width] for row in range(height)]


def _grey(pixels: list[list[int]]) -> memoryview:
    flat = bytes(value for row in pixels for value in row)
    return memoryview(flat).cast("B", (len(pixels), len(pixels[0])))


def _quiet_zone(pixels: list[list[int]]) -> float:
    """Light rows above the code, in modules: the finder pattern's first row is seven modules wide."""
    dark = [min(row) == 0 for row in pixels].index(True)
    row = pixels[dark]
    first = row.index(0)
    finder = row[first:].index(255)
    return min(dark, first) / (finder / 7)
