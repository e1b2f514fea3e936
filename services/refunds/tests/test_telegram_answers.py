"""Answers of Telegram that are none: what is read of them, and that nothing else is raised."""

import httpx
import pytest

from refunds.clients.telegram import read_answer
from shared.outcomes import NotSent

ODD = {
    b"",
    b"<html>",
    b"\xff\xfe",
    b"null",
    b"[]",
    b'{"parameters": null}',
    b'{"parameters": {"retry_after": null}}',
    b'{"parameters": {"retry_after": "soon"}}',
    b'{"parameters": {"retry_after": {}}}',
    b'{"parameters": {"retry_after": 1' + b"0" * 400 + b"}}",
    b'{"parameters": {"retry_after": 1' + b"0" * 5000 + b"}}",
    b'{"parameters": {"retry_after": NaN}}',
    b'{"parameters": {"retry_after": Infinity}}',
    b'{"parameters": {"retry_after": -5}}',
    b"[" * 100_000,
}


@pytest.mark.parametrize("body", sorted(ODD))
def test_an_odd_pause_is_a_pause_within_bounds(body: bytes) -> None:
    outcome = read_answer(httpx.Response(429, content=body))
    assert isinstance(outcome, NotSent)
    assert outcome.retry_after is not None
    assert 1 <= outcome.retry_after.total_seconds() <= 3600


@pytest.mark.parametrize("status", [100, 204, 302, 418, 500, 599])
def test_an_odd_status_is_tried_again(status: int) -> None:
    assert isinstance(read_answer(httpx.Response(status, content=b"\x00")), NotSent)
