"""How the sandbox's client reads what a buyer would read."""

import pytest

from sandbox.client import one_time_code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Your code: 042317\n", "042317"),
        ("123456 - your esimka code, order 10000001: new email.", "123456"),
        ("Hello kanareika769820e095ca,\n\n481516\n", "481516"),
        ("https://esimka.example/c/0193-769820-a, code 481516.", "481516"),
        ("x769820@example.com and 769820x@example.com", None),
        ("Order 10000001, 26-03-2027", None),
    ],
)
def test_a_code_is_six_digits_that_nothing_touches(text: str, code: str | None) -> None:
    assert one_time_code(text) == code
