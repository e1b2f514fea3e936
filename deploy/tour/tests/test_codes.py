import io

import pytest
import qrcode
from PIL import Image

from tour.codes import draw, matching_id, read

CODE = "LPA:1$smdp.sandbox.example$OT6TUQ2QRLNGXQGP6ZSQC3YIWM"
#: Which half of a cell is inked.
HALVES = {" ": (False, False), "▀": (True, False), "▄": (False, True), "█": (True, True)}
PIXELS = 4


def photograph(lines: list[str], *, ink: int, paper: int) -> bytes:
    """What a phone's camera would see of these characters, as a PNG."""
    image = Image.new("L", (len(lines[0]), len(lines) * 2), paper)
    for row, line in enumerate(lines):
        for column, cell in enumerate(line):
            for half in (0, 1):
                if HALVES[cell][half]:
                    image.putpixel((column, row * 2 + half), ink)
    return png(image.resize((image.width * PIXELS, image.height * PIXELS), Image.Resampling.NEAREST))


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_a_code_in_a_picture_is_read() -> None:
    assert read(png(qrcode.make(CODE).get_image())) == CODE


def test_a_picture_without_a_code_gives_none() -> None:
    assert read(png(Image.new("L", (300, 300), 255))) is None


@pytest.mark.parametrize("ink_is_dark", [True, False])
def test_what_is_drawn_in_a_terminal_can_be_scanned(*, ink_is_dark: bool) -> None:
    lines = draw(CODE, ink_is_dark=ink_is_dark)
    ink, paper = (0, 255) if ink_is_dark else (255, 0)
    assert read(photograph(lines, ink=ink, paper=paper)) == CODE
    assert {len(line) for line in lines} == {len(lines[0])}
    assert len(lines[0]) <= 76  # with its indent it fits 80 columns


@pytest.mark.parametrize(
    ("text", "key"), [(CODE, "OT6TUQ2QRLNGXQGP6ZSQC3YIWM"), (f"{CODE}$$1", "OT6TUQ2QRLNGXQGP6ZSQC3YIWM"), ("x$y$z", "")]
)
def test_the_matching_id_of_an_activation_code(text: str, key: str) -> None:
    assert matching_id(text) == key
