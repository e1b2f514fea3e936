"""pytest fixtures: `stage`. Tests' HTTP clients share the trust store that httpx reads for each of them.

Passwords of tests are hashed cheaply, in the tests' own processes: a hash of production takes 0.2 s of processor time.
"""

import ssl
from collections.abc import AsyncIterator
from functools import cache
from typing import Any

import certifi
import pytest
from argon2 import PasswordHasher

from shared.signin import passwords
from shared.testing import topic_sets
from shared.testing.stage import Stage


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; load the public authorities once (some 15 ms, several times a test); cheap passwords."""
    config.addinivalue_line("markers", "new_topics: the test gets new topics, whose offsets begin at 0")
    passwords._HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # noqa: SLF001 - see above
    create, shared = ssl.create_default_context, cache(ssl.create_default_context)
    bundle = certifi.where()

    def create_default_context(*args: Any, **options: Any) -> ssl.SSLContext:
        if not args and options == {"cafile": bundle}:
            return shared(cafile=bundle)
        return create(*args, **options)

    ssl.create_default_context = create_default_context  # httpx looks it up at each client


@pytest.fixture
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """Topics and databases of this test, on the real Kafka and Postgres of the run."""
    new = request.node.get_closest_marker("new_topics") is not None
    made = Stage(None if new else topic_sets.take())
    try:
        yield made
    finally:
        await made.close()
