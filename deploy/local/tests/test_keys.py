"""API keys of shops from the shell of a stack."""

from pathlib import Path

import pytest

from local_stack.errors import LocalStackError
from local_stack.keys import keys


def test_without_a_database_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LocalStackError, match="make up"):
        keys(tmp_path, ["list"])
