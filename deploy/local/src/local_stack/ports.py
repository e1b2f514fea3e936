"""Free TCP ports on the loopback interface.

They are taken below the range from which the kernel gives outgoing connections their ports. A
port inside that range can be lost to some client while its server is down for a restart, and a
client that retries such a port can even end up connected to itself.

A port that was chosen is held until `release` or until this process ends: whoever else of this user chooses at the same
moment takes another one, though nothing listens there yet. Holding is a lock on one byte of a file, which the kernel
releases when its holder dies.
"""

import fcntl
import os
import random
import socket
import threading
from collections.abc import Iterable

from local_stack.errors import LocalStackError
from local_stack.paths import cache_dir

LOOPBACK = "127.0.0.1"
FIRST, LAST = 15_000, 29_999
ATTEMPTS = 200


def is_free(port: int) -> bool:
    """Whether a server could listen here now; connections of an earlier server may still linger."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


class _Holds:
    """The ports that this process holds. One open file: closing any would release all locks of this process on it."""

    def __init__(self) -> None:
        self._held: set[int] = set()
        self._owner = 0
        self._descriptor = -1
        self._mutex = threading.Lock()

    def hold(self, port: int) -> bool:
        """Hold the port; False when somebody holds it already, be it this process."""
        with self._mutex:
            self._open()
            if port in self._held:
                return False
            try:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
            except (BlockingIOError, PermissionError):
                return False
            self._held.add(port)
            return True

    def release(self, port: int) -> None:
        """Let go of the port; harmless when this process does not hold it."""
        with self._mutex:
            if port in self._held:
                self._held.remove(port)
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, port)

    def _open(self) -> None:
        if self._owner != os.getpid():  # the first call, or a forked child, which inherits no locks
            folder = cache_dir()
            folder.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(folder / "ports.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._owner, self._held = os.getpid(), set()


_HOLDS = _Holds()


def release(ports: Iterable[int]) -> None:
    """Let others have ports that `free_port` gave to this process."""
    for port in ports:
        _HOLDS.release(port)


def free_port(preferred: int | None = None) -> int:
    """`preferred` when it is free, otherwise a random free port; held from now on.

    Raises LocalStackError when the machine has no port left.
    """
    if preferred is not None and _taken(preferred):
        return preferred
    choice = random.SystemRandom()
    for _ in range(ATTEMPTS):
        port = choice.randint(FIRST, LAST)
        if _taken(port):
            return port
    raise LocalStackError(f"no free TCP port between {FIRST} and {LAST} on {LOOPBACK}")


def free_ports(count: int) -> list[int]:
    """`count` different free ports, held from now on."""
    return [free_port() for _ in range(count)]


def _taken(port: int) -> bool:
    """Whether the port was free, and is held by this process now."""
    if not _HOLDS.hold(port):
        return False
    if is_free(port):
        return True
    _HOLDS.release(port)
    return False
