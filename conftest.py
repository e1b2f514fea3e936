"""For every test of the workspace: the fixtures, and one broker and one database server per run."""

import os

import pytest
from hypothesis import HealthCheck, settings

from local_stack import ports
from local_stack.infra import own_this_run

pytest_plugins = ["shared.testing.plugin"]

NEEDS_SERVERS = {"stage"}
"""Fixtures behind which a broker or a database stands."""


def pytest_configure(config: pytest.Config) -> None:
    """The controller becomes the owner of the run's servers before it starts workers, which inherit that."""
    own_this_run()
    _ports_of_its_own()
    # Timings belong in benchmarks: a machine that is busy for a moment is no counterexample.
    settings.register_profile("here", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("here")
    config.addinivalue_line("markers", "infra: needs a broker, a database or other processes (not in `make test-fast`)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs servers, so that nobody has to remember to."""
    for item in items:
        if NEEDS_SERVERS.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.infra)


def _ports_of_its_own() -> None:
    """Each worker draws from its share: a port is free when it is drawn and bound seconds later."""
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        share = (ports.LAST - ports.FIRST + 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        ports.FIRST += share * int(worker.removeprefix("gw"))
        ports.LAST = ports.FIRST + share - 1
