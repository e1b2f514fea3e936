"""What the operating system knows about other processes: from /proc, or from `ps` where there is none."""

import os
from pathlib import Path

from local_stack.programs import run

_PROC = Path("/proc")


def is_running(pid: int) -> bool:
    """Whether a process with this id exists and is not merely waiting to be buried."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    status = _stat(pid)
    return status is None or status[0] != "Z"


def children(pid: int) -> list[int]:
    """The ids of the process's direct children."""
    if not (_PROC / "self").exists():
        return [int(line) for line in _output("pgrep", "-P", str(pid)).split()]
    candidates = [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]
    return [child for child in candidates if (_stat(child) or ["", ""])[1] == str(pid)]


def program_name(pid: int) -> str:
    """The name of the program a process runs, empty when there is no such process."""
    if not (_PROC / "self").exists():
        return _output("ps", "-o", "comm=", "-p", str(pid)).strip()
    try:
        return (_PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return ""


def listens(pid: int, port: int) -> bool:
    """Whether the process, or one that descends from it, listens on this TCP port, which has just answered.

    True also on a system whose /proc does not show who listens at all: there nobody can know.
    """
    if not (_PROC / "self").exists():
        return str(pid) in _output("lsof", "-nP", "-t", f"-iTCP:{port}", "-sTCP:LISTEN").split() or any(
            listens(child, port) for child in children(pid)
        )
    wanted = {f"socket:[{inode}]" for inode in _listeners(port)}
    return not wanted or _family_holds(pid, wanted)


def _listeners(port: int) -> list[str]:
    """The inodes of sockets that listen on this port: /proc/net/tcp has address:port in hex, state, …, inode."""
    found = []
    for table in ("tcp", "tcp6"):
        try:
            rows = (_PROC / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        fields = [row.split() for row in rows]
        found += [one[9] for one in fields if one[3] == "0A" and int(one[1].rpartition(":")[2], 16) == port]
    return found


def _family_holds(pid: int, sockets: set[str]) -> bool:
    try:
        return _holds(pid, sockets) or any(_family_holds(child, sockets) for child in children(pid))
    except (FileNotFoundError, PermissionError):
        return False  # it has ended; what ends shows its descriptors to root alone


def _holds(pid: int, sockets: set[str]) -> bool:
    for descriptor in (_PROC / str(pid) / "fd").iterdir():
        try:
            if str(descriptor.readlink()) in sockets:
                return True
        except FileNotFoundError:
            continue
    return False


def _stat(pid: int) -> list[str] | None:
    """State, parent and the further fields of /proc/PID/stat; None without such a file."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _output(*command: str) -> str:
    return run(command).stdout
