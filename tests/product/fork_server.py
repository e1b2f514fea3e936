"""Starts processes by forking one that has imported what they import, so that no start costs a second of imports.

    python -P fork_server.py DESCRIPTOR MODULE…      the socket of the requests, the modules to import before forking

Reads requests from the socket and answers each, one JSON object a message:

- `{"modules"}` and a socket: fork another such server, with these modules besides, which serves that socket; `{"pid"}`.
- `{"argv", "environment", "cwd", "log"}`: fork a process that runs `python -m argv…`; `{"pid"}`.
- `{"wait": pid}`: wait for the end of that process; `{"code"}`, negative: by that signal.

Each forked process leads its own process group, and the kernel ends it with the server that forked it. A server ends
with its socket. What Python and libraries read of the environment at their start is the server's
(`forked.READ_AT_START`); of the product only `shared.failpoints` reads it when imported, and is read again.
"""

import ctypes
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any  # Any: what is imported here, every forked process has; so no alias of ours

MESSAGE_BYTES = 1 << 17
_PR_SET_PDEATHSIG = 1
_READS_THE_ENVIRONMENT = "shared.failpoints"


def main() -> None:
    """Serve until the socket is closed. In a forked process: run the program, and end as it ends."""
    request = _serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
    if request is not None:
        sys.argv = request["argv"]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _serve(requests: socket.socket, modules: Sequence[str]) -> dict[str, Any] | None:
    """None where the socket is closed; in a forked process what it is to run. Raises RuntimeError with threads."""
    gc.disable()
    for module in modules:
        importlib.import_module(module)
    gc.freeze()  # the collector would write to all these objects, and so make each process copy them
    gc.enable()
    with requests:
        while True:
            message, descriptors, _, _ = socket.recv_fds(requests, MESSAGE_BYTES, 1)
            if not message:
                return None
            request: dict[str, Any] = json.loads(message)
            if "wait" in request:
                _, status = os.waitpid(request["wait"], 0)
                answer = {"code": os.waitstatus_to_exitcode(status)}
            else:
                if len(list(Path("/proc/self/task").iterdir())) > 1:
                    raise RuntimeError("an import has started a thread, which a forked process would not have")
                server = os.getpid()
                pid = os.fork()
                if pid == 0:
                    requests.close()
                    _lead(server)
                    if "modules" in request:
                        return _serve(socket.socket(fileno=descriptors[0]), request["modules"])
                    _become(request)
                    return request
                os.setpgid(pid, pid)  # here too: a signal to the group may come before the child has run
                for descriptor in descriptors:
                    os.close(descriptor)
                answer = {"pid": pid}
            requests.send(json.dumps(answer).encode())


def _lead(server: int) -> None:
    """Lead a process group, and end with the server."""
    os.setpgid(0, 0)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != server:  # it ended before the kernel was asked
        os._exit(1)


def _become(request: dict[str, Any]) -> None:
    """Take on the environment, the directory and the log of the request."""
    log = os.open(request["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(log)
    os.close(null)
    os.chdir(Path(request["cwd"]))
    os.environ.clear()
    os.environ.update(request["environment"])
    if _READS_THE_ENVIRONMENT in sys.modules:
        importlib.reload(sys.modules[_READS_THE_ENVIRONMENT])


if __name__ == "__main__":
    main()
