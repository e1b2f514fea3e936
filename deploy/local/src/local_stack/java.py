"""The Java runtime of this machine."""

import os
import shutil
from pathlib import Path

from local_stack.errors import LocalStackError

#: Where Homebrew puts a Java that macOS does not see.
_PLACES = ("/opt/homebrew/opt/openjdk/bin/java", "/usr/local/opt/openjdk/bin/java")


def java() -> str:
    """The `java` program, from JAVA_HOME, Homebrew's folder or the PATH.

    Raises LocalStackError when there is none; `deploy/local/prerequisites` says it earlier and better.
    """
    home = os.environ.get("JAVA_HOME")
    if home and (Path(home) / "bin" / "java").is_file():
        return str(Path(home) / "bin" / "java")
    # Homebrew's comes first: the one that macOS has on the PATH only says that there is none.
    found = next((place for place in _PLACES if Path(place).is_file()), None) or shutil.which("java")
    if found is None:
        raise LocalStackError("there is no Java runtime; install a JRE of version 17 or later")
    return found


def identity(program: str) -> str:
    """Something that changes with the runtime: class-data archives fit only the runtime that made them."""
    real = Path(program).resolve()
    return f"{real}-{real.stat().st_mtime_ns}"
