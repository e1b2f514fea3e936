import io

import pytest
from rich.console import Console

from tour.expectations import Outcome
from tour.narrator import Narrator


@pytest.fixture
def paper() -> io.StringIO:
    return io.StringIO()


def narrator(paper: io.StringIO, *, terminal: bool = False) -> Narrator:
    if terminal:
        return Narrator(Console(file=paper, force_terminal=True, color_system="truecolor", no_color=False, width=80))
    return Narrator(Console(file=paper, force_terminal=False, width=80, highlight=False))


def test_where_nobody_watches_lines_are_plain_and_fit(paper: io.StringIO) -> None:
    plain = narrator(paper)
    plain.act(1, 3, "kill -9", "words " * 40)
    with plain.step("Buying") as step:
        step.now("half")
        step.done("Bought [not markup]")
    plain.quote(["Hello", "", "word " * 30])
    plain.code("LPA:1$smdp.example$KEY")
    lacking = Outcome("On a phone", not_shown="there is no phone")
    plain.result([Outcome("An order from each storefront", orders=3, delivered=3), lacking])
    printed = paper.getvalue()
    assert "\x1b" not in printed
    assert "✓ Bought [not markup]" in printed
    assert "–  On a phone (not shown here)" in printed
    assert all(len(line) <= 80 for line in printed.splitlines())
    assert "half" not in printed  # a step that ends at once says only how it ended


def test_a_step_that_fails_says_so(paper: io.StringIO) -> None:
    with pytest.raises(ValueError, match="wrong"), narrator(paper).step("Buying"):
        raise ValueError("wrong")
    assert "✗ Buying" in paper.getvalue()


def test_on_a_terminal_the_code_is_black_on_white(paper: io.StringIO) -> None:
    narrator(paper, terminal=True).code("LPA:1$smdp.example$KEY")
    assert "\x1b[38;2;0;0;0;48;2;255;255;255m" in paper.getvalue()
