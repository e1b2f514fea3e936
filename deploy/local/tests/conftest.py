from collections.abc import Iterator
from pathlib import Path

import pytest

from local_stack.postgres_home import remove_data


@pytest.fixture(autouse=True)
def no_data_left(tmp_path: Path) -> Iterator[None]:
    """Root's servers keep their data outside tmp_path; remove it with the test."""
    yield
    for state in list(tmp_path.rglob("postgres.json")):
        remove_data(state.parent)
