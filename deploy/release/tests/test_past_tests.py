"""The last releases' own tests pass on databases as they are migrated now: a selection; `make test-past` runs all."""

import subprocess

import pytest

from release.history import NAMES, NoHistoryError
from release.past_tests import commands


@pytest.mark.long
@pytest.mark.infra
@pytest.mark.exhaustive
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", NAMES)
def test_what_worked_on_the_old_shape_works_on_the_new_one(name: str) -> None:
    try:
        [command] = commands([name])
    except NoHistoryError as error:
        pytest.skip(str(error))
    ended = command.run(stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert ended.returncode == 0, ended.stdout[-5000:]
    [line] = [line for line in ended.stdout.splitlines() if line.startswith("databases of now: ")]
    assert set(line.split()[3:]) == {name}
