"""The schedule is pure: a seed repeats it, and a run that is long enough has every fault."""

from collections import Counter
from itertools import pairwise

import pytest

from campaign.faults import PERFORM
from campaign.schedule import BY_NAME, KINDS, OF_A_CLUSTER, OF_A_STANDBY, schedule


def test_a_seed_repeats_its_schedule_and_another_seed_has_another() -> None:
    assert schedule(7, 600) == schedule(7, 600)
    assert schedule(7, 600) != schedule(8, 600)


def test_a_longer_run_of_a_seed_begins_like_a_shorter_one() -> None:
    short = schedule(7, 300)
    assert schedule(7, 600)[: len(short) - 3] == short[:-3]  # those of the last moment may be cut off


@pytest.mark.parametrize("seed", range(5))
def test_ten_minutes_have_every_kind_and_every_class(seed: int) -> None:
    faults = schedule(seed, 600)
    assert {fault.kind for fault in faults} == {kind.name for kind in KINDS}
    assert {BY_NAME[fault.kind].number for fault in faults} == set(range(17))


@pytest.mark.parametrize("seed", range(5))
def test_some_faults_come_singly_and_some_together(seed: int) -> None:
    times = [fault.at for fault in schedule(seed, 600)]
    near = Counter(later - sooner < 1.0 for sooner, later in pairwise(times))
    assert near[True] > 10
    assert near[False] > 10


@pytest.mark.parametrize("seed", range(5))
def test_faults_are_within_their_kinds_bounds(seed: int) -> None:
    for fault in schedule(seed, 600):
        kind = BY_NAME[fault.kind]
        assert kind.seconds[0] <= fault.seconds <= kind.seconds[1]
        assert fault.target in kind.targets
        assert 0 < fault.at < 600


def test_only_some_kinds() -> None:
    assert {fault.kind for fault in schedule(1, 200, ["kill", "broker killed"])} == {"kill", "broker killed"}


def test_every_kind_can_be_performed() -> None:
    assert set(PERFORM) == set(BY_NAME)


def test_three_brokers_and_a_standby_have_faults_of_their_own() -> None:
    more = (*OF_A_CLUSTER, *OF_A_STANDBY)
    assert {kind.name for kind in more} <= {fault.kind for fault in schedule(1, 600, more=more)}
    assert not {kind.name for kind in more} & {fault.kind for fault in schedule(1, 600)}


@pytest.mark.parametrize("seed", range(5))
def test_faults_apart_come_singly(seed: int) -> None:
    times = [fault.at for fault in schedule(seed, 300, ["kill", "kill all"], 20.0)]
    assert all(later - sooner >= 20 for sooner, later in pairwise(times))
