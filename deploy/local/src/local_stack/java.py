"""The Java runtime of this machine."""

import os
import shutil
from pathlib import Path

from local_stack.errors import LocalStackError


def java() -> str:
    """The `java` program, from JAVA_HOME or the PATH.

    Raises LocalStackError when there is none; `deploy/local/prerequisites` says it earlier and better.
    """
    home = os.environ.get("JAVA_HOME")
    if home and (Path(home) / "bin" / "java").is_file():
        return str(Path(home) / "bin" / "java")
    found = shutil.which("java")
    if found is None:
        raise LocalStackError("there is no Java runtime; install a JRE of version 17 or later")
    return found


def identity(program: str) -> str:
    """Something that changes with the runtime: class-data archives fit only the runtime that made them."""
    real = Path(program).resolve()
    return f"{real}-{real.stat().st_mtime_ns}"
