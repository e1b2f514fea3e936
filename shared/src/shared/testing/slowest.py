"""A pytest plugin: how long each test took with its set-up and teardown, for the end of a run of several parts.

With TEST_DURATIONS=file it adds a line per test to that file: seconds, a tab, the test. `tests/run` sorts them.
"""

import os
from collections import Counter
from pathlib import Path

import pytest

VARIABLE = "TEST_DURATIONS"
_seconds: Counter[str] = Counter()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Called for set-up, call and teardown; by xdist's controller for those of all workers."""
    _seconds[report.nodeid] += report.duration  # type: ignore[assignment] # a Counter of floats


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Workers leave it to the controller."""
    file = os.environ.get(VARIABLE)
    if file and not hasattr(session.config, "workerinput"):
        with Path(file).open("a") as lines:
            lines.writelines(f"{seconds:.1f}\t{test}\n" for test, seconds in _seconds.items())
