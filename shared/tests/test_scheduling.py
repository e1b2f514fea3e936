"""Which process takes which test: whole products in few processes and first, nothing left, nobody idle too early."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

import pytest
from xdist.workermanage import WorkerController  # type: ignore[import-untyped] # it has no types

from shared.testing.scheduling import AHEAD, Scheduling

LIGHT = [f"shared/tests/test_a.py::test_{number}" for number in range(20)]
PRODUCT = [f"tests/test_b.py::test_{number}" for number in range(6)]
GROUP = [f"tests/test_c.py::test_{number}@together" for number in range(3)]


class Config:
    """What a scheduler reads of pytest's configuration."""

    option = SimpleNamespace(loadscopereorder=True)

    def getvalue(self, name: str) -> list[str]:
        return {"tx": ["popen"]}[name]


@dataclass(eq=False)
class Node:
    """A worker process, as a scheduler sees it."""

    tests: list[str]
    gateway = SimpleNamespace(id="one of them")
    waiting: list[int] = field(default_factory=list)
    shutting_down: bool = False

    def send_runtest_some(self, indices: list[int]) -> None:
        self.waiting += indices

    def shutdown(self) -> None:
        self.shutting_down = True


def scheduled(tests: list[str], nodes: int) -> tuple[Scheduling, list[Node]]:
    scheduling = Scheduling(cast("pytest.Config", Config()), products=2)
    scheduling.numnodes = nodes
    workers = [Node(tests) for _ in range(nodes)]
    for worker in workers:
        scheduling.add_node(cast("WorkerController", worker))
    for worker in workers:
        scheduling.add_node_collection(cast("WorkerController", worker), tests)
    scheduling.schedule()
    return scheduling, workers


def one_by_one(scheduling: Scheduling, workers: list[Node]) -> Iterator[tuple[Node, str]]:
    """Run all tests, a test of each process in turn; a process that has ended gets none."""
    while any(worker.waiting for worker in workers):
        for worker in workers:
            if worker.waiting and (len(worker.waiting) > 1 or worker.shutting_down):
                index = worker.waiting.pop(0)
                yield worker, worker.tests[index]
                scheduling.mark_test_complete(cast("WorkerController", worker), index)


@pytest.mark.parametrize("nodes", [1, 2, 3, 5, 40])
def test_each_test_runs_once_and_whole_products_in_two_processes(nodes: int) -> None:
    tests = [*LIGHT, *PRODUCT, *GROUP]
    scheduling, workers = scheduled(tests, nodes)
    ran = list(one_by_one(scheduling, workers))
    assert sorted(test for _, test in ran) == sorted(tests)
    assert len({id(worker) for worker, test in ran if test.startswith("tests/")}) <= 2
    assert len({id(worker) for worker, test in ran if test in GROUP}) == 1
    assert scheduling.tests_finished


def test_products_are_first_in_their_processes_and_the_others_wait_for_nobody() -> None:
    scheduling, workers = scheduled([*LIGHT, *PRODUCT], 4)
    ran = list(one_by_one(scheduling, workers))
    hosts = [worker for worker in workers if any(w is worker and t in PRODUCT for w, t in ran)]
    assert len(hosts) == 2
    for host in hosts:
        kinds = [test in PRODUCT for worker, test in ran if worker is host]
        assert kinds == sorted(kinds, reverse=True)
        assert not all(kinds)  # then they help with the rest


def test_no_process_has_more_than_the_next_test() -> None:
    scheduling, workers = scheduled(LIGHT, 3)
    for _ in one_by_one(scheduling, workers):
        assert all(len(worker.waiting) <= AHEAD for worker in workers)


def test_another_process_takes_the_place_of_one_that_crashed() -> None:
    tests = [*LIGHT, *PRODUCT]
    scheduling, workers = scheduled(tests, 3)
    crashed = workers.pop(0)
    assert tests[crashed.waiting[0]] == scheduling.remove_node(cast("WorkerController", crashed))
    ran = [test for _, test in one_by_one(scheduling, workers)]
    assert sorted(ran) == sorted(tests)  # xdist itself reports the one that crashed, and leaves it out


def test_only_tests_of_whole_products_leave_the_other_processes_without_work() -> None:
    scheduling, workers = scheduled(PRODUCT, 4)
    assert sorted(test for _, test in one_by_one(scheduling, workers)) == PRODUCT
    assert all(worker.shutting_down for worker in workers)
