"""What the operating system knows about other processes: from /proc, or from `ps` where there is none."""

import os
from pathlib import Path

from local_stack.programs import run

_PROC = Path("/proc")


def is_alive(pid: int) -> bool:
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


def _stat(pid: int) -> list[str] | None:
    """State, parent and the further fields of /proc/PID/stat; None without such a file."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _output(*command: str) -> str:
    return run(command).stdout
