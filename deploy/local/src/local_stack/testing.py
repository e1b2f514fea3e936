"""For the runner's own tests: waiting with a deadline, and stacks made of dummy services."""

import time
import urllib.request
from collections.abc import Callable

from local_stack.proc import is_running
from local_stack.product import Component
from local_stack.site import Site

POLL_SECONDS = 0.05


def eventually(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Wait until the condition holds. Raises AssertionError when it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(POLL_SECONDS)


def gone(*pids: int) -> bool:
    """Whether none of these processes exists any more."""
    return not any(is_running(pid) for pid in pids)


def ask(url: str) -> list[str]:
    """A dummy's answer: its process id, its child's, and `$EXTRA` if set."""
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - a loopback URL of a dummy
        return str(answer.read().decode()).split()


def dummy(name: str, *, mode: str = "well", database: bool = True, start_seconds: float = 30.0) -> Component:
    """A component that runs dummy_service.py. Modes: well, crash, never-ready, bad-migration."""

    def environment(site: Site) -> dict[str, str]:
        return {
            "HTTP_PORT": str(site.ports[name]),
            "DATABASE_URL": site.databases.get(name, ""),
            "MARK": str(site.directory / f"{name}.migrated"),
            "DUMMY_MODE": mode,
        }

    return Component(
        name=name,
        command=("-m", "local_stack.dummy_service", "serve"),
        migrate=("-m", "local_stack.dummy_service", "migrate") if database else None,
        preferred_port=None,
        ready_path="/health/ready",
        environment=environment,
        start_seconds=start_seconds,
    )
