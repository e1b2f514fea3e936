"""What is removed beside the tests: in order, and a failure is not lost."""

import pytest

from shared.testing import beside


def _gone() -> None:
    raise OSError("the server does not answer")


def _nothing() -> None:
    """A removal that succeeds."""


def test_a_removal_that_failed_is_raised_by_a_later_one() -> None:
    beside.remove(_gone)
    beside.begin(_nothing).result()  # done one after another: the first has ended by now
    with pytest.raises(OSError, match="does not answer"):
        beside.remove(_nothing)
    beside.begin(_nothing).result()
    beside.remove(_nothing)
