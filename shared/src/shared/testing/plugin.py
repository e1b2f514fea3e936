"""pytest fixtures: `stage`."""

from collections.abc import AsyncIterator

import pytest

from shared.testing.stage import Stage


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """Topics and databases of this test's own, on the real Kafka and Postgres of the run."""
    made = Stage()
    try:
        yield made
    finally:
        await made.close()
