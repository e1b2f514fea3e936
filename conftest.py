"""For every test of the workspace: the fixtures, and one broker and one database server per run."""

import pytest

from local_stack.infra import own_this_run

pytest_plugins = ["shared.testing.plugin"]

NEEDS_SERVERS = {"stage"}
"""Fixtures behind which a broker or a database stands."""


def pytest_configure(config: pytest.Config) -> None:
    """The controller becomes the owner of the run's servers before it starts workers, which inherit that."""
    own_this_run()
    config.addinivalue_line("markers", "infra: needs a broker, a database or other processes (not in `make test-fast`)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs servers, so that nobody has to remember to."""
    for item in items:
        if NEEDS_SERVERS.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.infra)
