"""For every test of the workspace: the fixtures, one broker and one database server per run, and the run's slice."""

import gc
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from local_stack import ports
from local_stack.infra import own_this_run
from shared.testing import slices

pytest_plugins = ["shared.testing.plugin", "shared.testing.scheduling", "shared.testing.slowest"]

HERE = Path(__file__).parent
NEEDS_SERVERS = {"stage", "charts", "rendered"}
"""Fixtures behind which a broker, a database or Helm stands."""


def pytest_configure(config: pytest.Config) -> None:
    """The controller becomes the owner of the run's servers before it starts workers, which inherit that."""
    # What is collected is kept to the end. The garbage collector would scan it again and again meanwhile, for a quarter
    # of the processor time of a collection, which every process of a run makes.
    gc.disable()
    own_this_run()
    _ports_of_its_own()
    # Timings belong in benchmarks: a machine that is busy for a moment is no counterexample.
    settings.register_profile("here", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("here")
    config.addinivalue_line("markers", "infra: needs a broker, a database or other processes (not in `make test-fast`)")
    config.addinivalue_line("markers", "exhaustive: one of a whole matrix: `make test` runs a slice of these")
    try:
        slices.of_this_run(HERE)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_report_header() -> str:
    """Which of the exhaustive tests this run takes."""
    return slices.described(slices.of_this_run(HERE))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs servers, so that nobody has to remember to; leave out exhaustive tests of other slices."""
    for item in items:
        if NEEDS_SERVERS.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.infra)
    number = slices.of_this_run(HERE)
    left_out = [item for item in items if _is_exhaustive(item) and not slices.belongs(item.nodeid, number)]
    # Whoever names tests wants them all: ARGS="-k killed", or a test by its name.
    if left_out and not _named(config):
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def pytest_collection_finish() -> None:
    """From here on the garbage collector runs, and leaves alone what was collected."""
    gc.freeze()
    gc.enable()


def _is_exhaustive(item: pytest.Item) -> bool:
    return item.get_closest_marker("exhaustive") is not None


def _named(config: pytest.Config) -> bool:
    """Whether this run was narrowed to files, tests or a pattern."""
    return bool(config.getoption("keyword")) or any(".py" in argument for argument in config.args)


def _ports_of_its_own() -> None:
    """Each worker draws from its share: a port is free when it is drawn and bound seconds later."""
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        share = (ports.LAST - ports.FIRST + 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        ports.FIRST += share * int(worker.removeprefix("gw"))
        ports.LAST = ports.FIRST + share - 1
