"""Which of the exhaustive tests a run takes: the same ones in all its processes, and all of them after all slices."""

from pathlib import Path

import pytest

from shared.testing.slices import SLICES, VARIABLE, belongs, chosen, commit, some_of

NAMES = [f"tests/test_kill.py::test_x[{service}-{point}]" for service in "abcde" for point in range(20)]


def test_every_test_is_in_exactly_one_slice_and_none_is_nearly_empty() -> None:
    slices = [{name for name in NAMES if belongs(name, number)} for number in range(SLICES)]
    assert sum(map(len, slices)) == len(NAMES)
    assert set.union(*slices) == set(NAMES)
    assert min(map(len, slices)) > len(NAMES) / SLICES / 3


@pytest.mark.parametrize("count", [1, 4, 5, 9])
def test_every_scene_is_played_by_some_slice_and_every_slice_plays_one(count: int) -> None:
    scenes = range(count)
    played = [list(some_of(scenes, number)) for number in range(SLICES)]
    assert all(played)
    assert set(scenes) == {scene for some in played for scene in some}
    assert list(some_of(scenes, None)) == list(scenes)


def test_the_commit_chooses_and_the_variable_wins() -> None:
    commits = ["0" * 39 + digit for digit in "0123456789abcdef"]
    assert {chosen({}, one) for one in commits} == set(range(SLICES))
    assert chosen({VARIABLE: "2"}, commits[1]) == 2
    assert chosen({VARIABLE: "all"}, commits[1]) is None
    assert all(belongs(name, None) for name in NAMES)


def test_without_a_repository_everything_runs(tmp_path: Path) -> None:
    assert chosen({}, commit(tmp_path)) is None


@pytest.mark.parametrize("wrong", ["-1", str(SLICES), "some", "²"])
def test_what_is_no_slice_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=VARIABLE):
        chosen({VARIABLE: wrong}, "")
