"""Child processes that cannot outlive us, with a log file, a readiness probe and an exit we notice.

Each child leads its own process group. Two things end it when the runner dies: the kernel's
parent-death signal (at once, Linux, direct children) and the guard (all descendants, everywhere).
"""

import asyncio
import atexit
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

from local_stack import guard
from local_stack.errors import ComponentFailedError
from local_stack.proc import listens

POLL_SECONDS = 0.02
KILL_WAIT_SECONDS = 10.0

Probe = Callable[[], Awaitable[bool]]


class Child(Protocol):
    """A child process, as `subprocess.Popen` shows one."""

    pid: int

    def poll(self) -> int | None:
        """How it ended (negative: by that signal); None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended. Raises subprocess.TimeoutExpired."""

    def send_signal(self, number: int, /) -> None:
        """Send it a signal, unless it has ended."""


class _Guard:
    """Our side of guard.py: started with the first child; it gets the id of every process group."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def tell(self, message: str) -> None:
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603 - our own script
                [sys.executable, "-S", "-E", guard.__file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                text=True,
            )
            atexit.register(self._close)
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):  # someone killed the guard; the kernel still watches
                self._process.stdin.write(f"{message}\n")
                self._process.stdin.flush()

    def _close(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.wait(KILL_WAIT_SECONDS)


_GUARD = _Guard()


def dies_with_parent(command: Sequence[str]) -> list[str]:
    """The same command, ended by the kernel when the process that starts it dies.

    The kernel watches the starting *thread*, so a short-lived thread must not ask for this.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    if setpriv is None or threading.current_thread() is not threading.main_thread():
        return list(command)
    return [setpriv, "--pdeathsig", "KILL", "--", *command]


class ManagedProcess:
    """One child process that can be started, stopped, killed, frozen and started again."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self.command = list(command)
        self.log = log
        self.environment = dict(os.environ if environment is None else environment)
        self._cwd = cwd
        self._user = user
        self._stop_signal = stop_signal
        self._process: Child | None = None
        self._group: int | None = None  # while some process of it may be left

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process is not None and self.running else None

    @property
    def running(self) -> bool:
        """Whether the process exists (a frozen one does)."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended (negative: by that signal); None while it runs or before its first start."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start it; its output is appended to the log.

        Raises ComponentFailedError when the program does not exist or may not run.
        """
        if self.running:
            return
        self.kill()
        if shutil.which(self.command[0], path=self.environment.get("PATH")) is None:
            raise ComponentFailedError(self.name, f"could not be started (no program {self.command[0]})", self.log)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            try:
                self._process = self._begin(output)
            except OSError as error:
                raise ComponentFailedError(self.name, f"could not be started ({error})", self.log) from error
        self._group = self._process.pid
        _GUARD.tell(f"+{self._group}")

    def _begin(self, output: IO[bytes]) -> Child:
        """The process, in a group of its own. Raises OSError."""
        return subprocess.Popen(  # noqa: S603 - running given programs is what this is for
            dies_with_parent(self.command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=self.environment,
            cwd=self._cwd,
            process_group=0,
            user=self._user,
            group=None if self._user is None else _group_of(self._user),
            extra_groups=None if self._user is None else [],
        )

    async def wait_ready(self, probe: Probe, seconds: float, *, port: int | None = None) -> None:
        """Ask `probe` until it says yes, and, with a `port`, until it is this process that listens there.

        Raises ComponentFailedError when the process exits first, or after `seconds` seconds.
        """
        deadline = time.monotonic() + seconds
        others = False
        while True:
            if not self.running:
                raise self.failure()
            if await probe():
                # A stranger's process may have taken the port, and its answer says nothing about ours.
                others = port is not None and not self._listens(port)
                if not others:
                    return
            if time.monotonic() > deadline:
                stranger = f": another process answers on port {port}" if others else ""
                raise ComponentFailedError(self.name, f"was not ready after {seconds:.0f} s{stranger}", self.log)
            await asyncio.sleep(POLL_SECONDS)

    def _listens(self, port: int) -> bool:
        pid = self.pid
        return pid is not None and listens(pid, port)

    async def wait_exit(self, seconds: float) -> bool:
        """Whether the process ended within `seconds` seconds."""
        deadline = time.monotonic() + seconds
        while self.running:
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(POLL_SECONDS)
        return True

    async def stop(self, grace: float = 10.0) -> None:
        """Ask it to end, give it `grace` seconds, then kill it and whatever it left behind."""
        if self.running:
            self.resume()
            self._signal_leader(self._stop_signal)
            await self.wait_exit(grace)
        self.kill()

    def kill(self) -> None:
        """`kill -9` for the process and all its group; returns when it is gone."""
        if self._process is None or self._group is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._group, signal.SIGKILL)
        self._process.wait(KILL_WAIT_SECONDS)
        _GUARD.tell(f"-{self._group}")
        self._group = None  # from here on the number may belong to somebody else

    def pause(self) -> None:
        """Freeze it, as a long stall or a suspended machine would."""
        self._signal_leader(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen process go on."""
        self._signal_leader(signal.SIGCONT)

    def failure(self) -> ComponentFailedError:
        """The error for a process that ended although nobody asked it to."""
        code = self.exit_code
        how = f"was killed by {signal.Signals(-code).name}" if code is not None and code < 0 else f"exited ({code})"
        return ComponentFailedError(self.name, f"{how} before anybody stopped it", self.log)

    def _signal_leader(self, number: signal.Signals) -> None:
        if self._process is not None and self.running:
            self._process.send_signal(number)


def _group_of(user: str) -> int:
    import pwd  # noqa: PLC0415 - only needed when we are root

    return pwd.getpwnam(user).pw_gid
