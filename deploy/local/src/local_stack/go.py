"""Go, which fetches and builds tools that are published as its modules only."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from local_stack.errors import ComponentFailedError, LocalStackError


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
    about `step` when the command fails; what it said is then in `log`.
    """
    program = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    if program is None:
        raise LocalStackError(missing)
    with tempfile.TemporaryDirectory() as nowhere:
        done = subprocess.run(  # noqa: S603 - our own command line
            [program, *arguments],
            cwd=folder or nowhere,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    if done.returncode != 0:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(done.stdout + done.stderr, encoding="utf-8")
        raise ComponentFailedError(step, f"exited ({done.returncode})", log)
    return done.stdout
