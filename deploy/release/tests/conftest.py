"""The last releases' code, where this clone has it."""

import os
from pathlib import Path

import pytest

from release.history import NAMES, NoHistoryError, export, last_release


@pytest.fixture(scope="session", params=NAMES)
def released(request: pytest.FixtureRequest) -> tuple[str, Path]:
    """A service and the tree of its last release."""
    name: str = request.param
    try:
        return name, export(last_release(name).commit)
    except NoHistoryError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
