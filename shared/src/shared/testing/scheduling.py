"""A pytest plugin: in which order, and in which of its processes, a parallel run takes the tests.

All tests are one run, so that no core is idle while one folder's last test ends. The tests of the folder `tests` start
a whole product in the process that runs them: at most PRODUCTS processes take these tests, before all others, and help
with the rest afterwards. A test marked `long` begins before the others of its kind; otherwise its process would be the
only one at work at the end of the run.

Runs with `--dist loadgroup` are scheduled like this; others as pytest-xdist does.
"""

import os
from functools import cached_property

import pytest
from xdist.remote import Producer  # type: ignore[import-untyped] # it has no types
from xdist.scheduler import LoadGroupScheduling  # type: ignore[import-untyped] # as above
from xdist.workermanage import WorkerController  # type: ignore[import-untyped] # as above

WHOLE_PRODUCT = "tests/"
"""Begins the node id of each test that may start a whole product."""

VARIABLE = "PRODUCTS"
PRODUCTS = 2
"""How many processes may run whole products. One is about eight processes and 0.8 GiB."""

AHEAD = 2
"""How many tests a process has: the one that runs, and the next one, which it needs. No other process takes these."""


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", "long: takes more than 15 s on a quiet machine, so it begins before the others")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long tests first; the order of the others stays."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadGroupScheduling | None:
    """Called by xdist's controller."""
    if config.getoption("dist") != "loadgroup":
        return None
    return Scheduling(config, log, products=int(os.environ.get(VARIABLE) or PRODUCTS))


class Scheduling(LoadGroupScheduling):  # type: ignore[misc] # as above
    """Tests of whole products go to at most `products` processes; each process has at most `AHEAD` tests."""

    def __init__(self, config: pytest.Config, log: Producer | None = None, *, products: int) -> None:
        super().__init__(config, log)
        self._products = products
        self._hosts: set[WorkerController] = set()

    @cached_property
    def _product_units(self) -> dict[str, None]:
        """The units (one test, or those of a group) that need a whole product, in order; read when all are known."""
        return {unit: None for unit, tests in self.workqueue.items() if next(iter(tests)).startswith(WHOLE_PRODUCT)}

    def _assign_work_unit(self, node: WorkerController) -> None:
        unit = self._next_for(node)
        if unit is None:
            return
        if unit in self._product_units:
            self._hosts.add(node)
        self.workqueue.move_to_end(unit, last=False)
        super()._assign_work_unit(node)

    def _reschedule(self, node: WorkerController) -> None:
        if node.shutting_down:
            return
        # A loop: of a process that crashed also the units come back whose tests have all run.
        while self._pending_of(self.assigned_work[node]) < AHEAD and self._next_for(node) is not None:
            self._assign_work_unit(node)
        if self._next_for(node) is None:  # it runs what it has, and ends
            node.shutdown()

    def _next_for(self, node: WorkerController) -> str | None:
        """The unit that this process takes next; None where nothing is left for it."""
        hosts = self._hosts.intersection(self.nodes)  # a process that crashed has been replaced
        if node in hosts or len(hosts) < self._products:
            product = next((unit for unit in self._product_units if unit in self.workqueue), None)
            if product is not None:
                return product
        return next((unit for unit in self.workqueue if unit not in self._product_units), None)
