"""Go, which fetches and builds tools that are published as its modules only."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from local_stack.errors import ComponentFailedError, LocalStackError
from local_stack.waiting import last_line, waiting


def go(
    arguments: Sequence[str],
    *,
    missing: str,
    step: str,
    log: Path,
    seconds: float,
    environment: Mapping[str, str],
    folder: Path | None = None,
) -> str:
    """Standard output of a Go command, run in `folder`, or outside any module.

    `environment` is added to ours. Raises LocalStackError with `missing` where there is no Go, and ComponentFailedError
    about `step` when the command fails. What Go prints about its work goes to `log`, whose last line is shown now and
    then.
    """
    program = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    if program is None:
        raise LocalStackError(missing)
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as nowhere,
        log.open("w", encoding="utf-8") as output,
        waiting(f"{step} by Go, once per machine", lambda: last_line(log)),
    ):
        done = subprocess.run(  # noqa: S603 - our own command line
            [program, *arguments],
            cwd=folder or nowhere,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            timeout=seconds,
            check=False,
        )
        if done.returncode != 0:
            output.write(done.stdout)
    if done.returncode != 0:
        raise ComponentFailedError(step, f"exited ({done.returncode})", log)
    return done.stdout
