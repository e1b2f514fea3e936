"""A file lock that the kernel releases when its holder dies, however it dies."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from local_stack.errors import LocalStackError

POLL_SECONDS = 0.05


class FileLock:
    """Held by at most one process. Being held is also the proof that its holder is alive."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def try_acquire(self) -> bool:
        """Take the lock if nobody has it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let go; harmless when not held. The file stays: deleting it would let two holders in."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def is_held(self) -> bool:
        """Whether some process, this one included, holds the lock."""
        if self._descriptor is not None:
            return True
        if not self._path.exists():
            return False
        with suppress(OSError):
            if not self.try_acquire():
                return True
            self.release()
        return False


@contextmanager
def locked(path: Path, timeout: float) -> Iterator[None]:
    """Hold the lock for a block.

    Raises LocalStackError when another process still has it after `timeout` seconds.
    """
    lock = FileLock(path)
    deadline = time.monotonic() + timeout
    while not lock.try_acquire():
        if time.monotonic() > deadline:
            raise LocalStackError(f"another process has been holding {path} for {timeout:.0f} s")
        time.sleep(POLL_SECONDS)
    try:
        yield
    finally:
        lock.release()
