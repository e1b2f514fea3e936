"""One thread for work that tests need not wait for: databases created in advance, databases and topics removed."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
_THREAD = ThreadPoolExecutor(1, thread_name_prefix="beside-tests")
_removals: deque[Future[None]] = deque()


def begin(work: Callable[P, R], *args: P.args, **options: P.kwargs) -> Future[R]:
    """Run this after the work that was submitted before; the future has the result."""
    return _THREAD.submit(work, *args, **options)


def remove(work: Callable[P, None], *args: P.args, **options: P.kwargs) -> None:
    """Run a removal without waiting for it. Raises the error of an earlier removal."""
    while _removals and _removals[0].done():
        _removals.popleft().result()
    _removals.append(begin(work, *args, **options))
