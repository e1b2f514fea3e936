"""What logs and dead letters say of an exception: its type and a place that helps, never its words."""

import asyncio

import httpx
import pytest

from shared.telemetry.logging import error_place


def test_the_place_that_raised_without_the_words() -> None:
    with pytest.raises(ValueError, match="zhanna") as caught:
        raise ValueError("zhanna@example.org")
    place = error_place(caught.value)
    assert place.startswith("ValueError at test_error_place.py:")
    assert "zhanna" not in place


def test_what_fails_in_a_client_is_at_the_place_that_called_it() -> None:
    async def call() -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            await client.get("http://127.0.0.1:1/")

    with pytest.raises(httpx.ConnectError) as caught:
        asyncio.run(call())
    line = call.__code__.co_firstlineno + 2
    assert error_place(caught.value) == f"ConnectError at test_error_place.py:{line}"


def test_an_exception_that_was_never_raised_has_no_place() -> None:
    assert error_place(KeyError("x")) == "KeyError"
