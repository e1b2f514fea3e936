"""What is concluded from measured times."""

import pytest

from bench.contenders import queue
from bench.driver import Delivery

_RATE, _SECONDS = 100, 20


@pytest.mark.parametrize(
    ("slower", "early", "late", "grew"),
    [(0.0, 10, 10, False), (0.05, 47, 97, True)],
    ids=["each order takes 0.1 s", "each second adds 0.05 s"],
)
def test_an_open_loop_says_whether_the_queue_grew(slower: float, early: float, late: float, grew: bool) -> None:
    due = [number / _RATE for number in range(_RATE * _SECONDS)]
    waiting = queue([Delivery(moment, moment + 0.1 + slower * moment) for moment in due])
    assert waiting["waiting_early"] == pytest.approx(early, rel=0.05)
    assert waiting["waiting_late"] == pytest.approx(late, rel=0.05)
    assert waiting["grew"] is grew
