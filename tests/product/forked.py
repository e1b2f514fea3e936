"""Processes of the product that are forked from a server which has imported their program (`fork_server.py`).

The tests start the five services and the sandbox some hundreds of times, and importing one takes a second of processor
time, most of what a start costs. What is killed, frozen and started again stays a process of its own with a group of
its own. `make demo`, the campaign and the tests of `deploy/local` start the same programs as production does.
"""

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Self

from local_stack.processes import Child, ManagedProcess, dies_with_parent
from product import fork_server
from shared.testing.documents import JsonObject

#: What all programs import.
BASE = ("shared.kernel.cli", "shared.kernel.service", *(["uvloop"] if find_spec("uvloop") else []))
#: Variables that Python, the C library and other libraries read when they start begin like this. A process that differs
#: in one, as released versions do in PYTHONPATH, is started as in production.
READ_AT_START = ("PYTHON", "LD_", "MALLOC_", "OTEL_", "TZ", "LC_", "LANG", "SSL_", "OPENSSL_", "UV_")


class ForkServer:
    """Our side of one server. It ends when its socket is closed, at the latest with this process."""

    def __init__(self, requests: socket.socket, process: subprocess.Popen[bytes] | None = None) -> None:
        self._requests = requests
        self._process = process
        self._lock = threading.Lock()
        atexit.register(self.close)

    @classmethod
    def started(cls) -> Self:
        """A new process with what all programs import."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            number = theirs.fileno()
            command = [sys.executable, "-P", fork_server.__file__, str(number), *BASE]
            process = subprocess.Popen(  # noqa: S603 - our own script
                dies_with_parent(command), stdin=subprocess.DEVNULL, env=_own(), process_group=0, pass_fds=[number]
            )
        return cls(ours, process)

    def forked(self, *modules: str) -> Self:
        """Another server, which has imported these modules besides."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.request({"modules": modules}, theirs.fileno())
        return type(self)(ours)

    def request(self, content: Mapping[str, object], *descriptors: int) -> JsonObject:
        """Its answer. Raises OSError where the server has ended."""
        with self._lock:
            socket.send_fds(self._requests, [json.dumps(content).encode()], descriptors)
            answer = self._requests.recv(fork_server.MESSAGE_BYTES)
        if not answer:
            raise ConnectionResetError("the fork server has ended")
        decoded: JsonObject = json.loads(answer)
        return decoded

    def close(self) -> None:
        """End it, and with it what it has forked."""
        self._requests.close()
        if self._process is not None:
            self._process.wait()


#: The running servers by the module they have imported; the base has imported none.
_servers: dict[str, ForkServer] = {}


def server_of(program: str) -> ForkServer:
    """The server that has imported this program. It runs until `end_servers`."""
    if "" not in _servers:
        _servers[""] = ForkServer.started()
    module = "sandbox.server" if program == "sandbox" else f"{program}.app"
    if module not in _servers:
        _servers[module] = _servers[""].forked(module)
    return _servers[module]


def end_servers() -> None:
    """End the servers, and with them what they have forked: idle, they would hold their memory."""
    for server in _servers.values():
        server.close()
    _servers.clear()


class _ForkedChild:
    """A forked process, as `subprocess.Popen` shows one."""

    def __init__(self, server: ForkServer, pid: int) -> None:
        self.pid = pid
        self._server = server
        self._descriptor = os.pidfd_open(pid)
        self._code: int | None = None

    def poll(self) -> int | None:
        """How it ended; None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended. Raises subprocess.TimeoutExpired."""
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._descriptor, number)

    def _ended(self, timeout: float | None) -> int | None:
        if self._code is None:
            end = select.poll()
            end.register(self._descriptor, select.POLLIN)
            if end.poll(None if timeout is None else timeout * 1000):
                try:
                    self._code = self._server.request({"wait": self.pid})["code"]
                except OSError:  # the server has ended, and the kernel with it this process
                    self._code = -signal.SIGKILL
                os.close(self._descriptor)
        return self._code


class ForkedProcess(ManagedProcess):
    """Runs `python -m program …`, where possible forked from a process that has imported the program."""

    def _begin(self, output: IO[bytes]) -> Child:
        if _read_at_start(self.environment) != _read_at_start(_own()):
            return super()._begin(output)
        server = server_of(self.command[2])
        argv, log = self.command[2:], str(self.log.absolute())
        request = {"argv": argv, "environment": self.environment, "cwd": str(Path.cwd()), "log": log}
        return _ForkedChild(server, server.request(request)["pid"])


def process_of(name: str, arguments: Sequence[str], *, log: Path, environment: Mapping[str, str]) -> ManagedProcess:
    """A process of `python arguments…`, forked where the kernel has descriptors of processes (Linux)."""
    possible = hasattr(os, "pidfd_open") and arguments[0] == "-m"
    kind = ForkedProcess if possible else ManagedProcess
    return kind(name, [sys.executable, *arguments], log=log, environment=environment)


@cache
def _own() -> dict[str, str]:
    """The environment of the servers."""
    return os.environ | {"PYTHONUNBUFFERED": "1"}


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(READ_AT_START)}
