"""Programs that run to their end."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path


def run(
    command: Sequence[str | Path],
    *,
    ids: tuple[int, int] | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float | None = None,
    log: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program of ours to its end, without input, from the root directory, keeping what it prints.

    `ids` are the user and group to run it as. With a `log` its output goes there while it runs, and `stdout` is None.
    Raises OSError when it cannot be started and subprocess.TimeoutExpired when it takes longer than `seconds`.
    """
    with nullcontext(subprocess.PIPE) if log is None else log.open("wb") as output:
        return subprocess.run(  # noqa: S603 - callers compose the command from constants and own paths
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",
            env=dict(os.environ if environment is None else environment),
            user=None if ids is None else ids[0],
            group=None if ids is None else ids[1],
            extra_groups=None if ids is None else [],
            timeout=seconds,
            check=False,
        )
