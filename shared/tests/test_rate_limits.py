"""Limits of requests per key: what is allowed against a naive model, and what a caller reads of it."""

import math

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel import problems
from shared.kernel.rate_limits import RateLimited, RateLimits
from shared.testing.documents import JsonObject


class Timer:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(st.integers(1, 50), st.lists(st.floats(0, 90, allow_nan=False), min_size=1, max_size=120))
def test_no_more_than_the_quota_and_what_has_come_back_is_allowed(quota: int, pauses: list[float]) -> None:
    """The naive model is a bucket of `quota` requests that fills evenly within a minute."""
    timer = Timer()
    limits = RateLimits(quota, 1, timer=timer)
    left = float(quota)
    for pause in pauses:
        timer.now += pause
        left = min(float(quota), left + pause * quota / 60)
        if abs(left - round(left)) < 1e-4:
            left = float(round(left))  # between two requests: either answer is right
        allowance = limits.take("key", "GET")
        assert allowance.allowed == (left >= 1)
        if allowance.allowed:
            left -= 1
        else:
            assert allowance.again_in == pytest.approx((1 - left) * 60 / quota, abs=1e-2)
        assert abs(allowance.remaining - left) < 1.001
        assert allowance.full_in == pytest.approx(math.ceil((quota - left) * 60 / quota), abs=1)


def test_each_key_and_kind_of_request_has_its_own() -> None:
    limits = RateLimits(1, 1, timer=Timer())
    assert limits.take("a", "GET").allowed
    assert not limits.take("a", "HEAD").allowed
    assert limits.take("a", "POST").allowed
    assert limits.take("b", "GET").allowed


def test_keys_of_anybody_do_not_fill_the_memory() -> None:
    limits = RateLimits(1, 1, timer=Timer())
    for number in range(10_500):
        limits.take(str(number), "GET")
    assert len(limits._full_at) == 10_000


async def test_a_caller_reads_what_is_left_and_when_to_come_again() -> None:
    reached: list[str] = []
    app = FastAPI()
    problems.install(app)
    app.add_middleware(RateLimited, limits=RateLimits(2, 5, timer=Timer()), limited=reached.append)

    @app.get("/thing")
    async def thing() -> JsonObject:
        return {}

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(iter([b"a"]))

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        key = {"Authorization": "Bearer k"}
        first = await http.get("/thing", headers=key)
        assert first.headers["ratelimit-policy"] == '"reads";q=2;w=60'
        assert first.headers["ratelimit"] == '"reads";r=1;t=30'
        assert (await http.get("/stream", headers=key)).headers["ratelimit"] == '"reads";r=0;t=60'
        refused = await http.get("/thing", headers={"Authorization": "bearer k"})
        assert (refused.status_code, refused.json()["type"]) == (429, "urn:problem:too-many-requests")
        assert refused.headers["retry-after"] == "30"
        assert refused.headers["ratelimit"] == '"reads";r=0;t=60'
        assert reached == ["requests"]
        without = await http.get("/thing")
        assert (without.status_code, "ratelimit" in without.headers) == (200, False)
