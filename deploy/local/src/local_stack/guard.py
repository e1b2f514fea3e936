"""The last one out: kills what a runner left behind when the runner itself was killed.

A child of the runner, holding the reading end of a pipe. While the runner lives it tells us the
process groups it started (`+123`) and ended (`-123`). When the pipe closes, the runner is gone, by
whatever way, and every group still on the list is killed with all its descendants. The kernel's
parent-death signal does the same faster, but only on Linux and only for direct children.

Runs as a plain script with the standard library alone, because it must start in no time.
"""

import os
import signal
import sys


def main() -> None:
    """Keep the list until the pipe closes, then kill what is on it."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line[0] == "+":
            groups.add(group)
        else:
            groups.discard(group)
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


if __name__ == "__main__":
    main()
