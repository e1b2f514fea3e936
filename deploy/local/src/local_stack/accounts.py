"""Accounts of people on a stack's pages, made as the service itself makes them."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from local_stack.errors import LocalStackError
from local_stack.paths import WORK_TREE
from local_stack.postgres_databases import kept_url
from local_stack.site import Site

#: The services with pages that people sign in at.
WITH_PAGES = ("operations", "refunds")
_FROM_STDIN = "--password-stdin"


def accounts(directory: Path, service: str, words: Sequence[str]) -> int:
    """`python -m <service> accounts <words>` with the stack's database; its exit code. Raises LocalStackError."""
    if list(words[:1]) == ["add"] and _FROM_STDIN not in words and not _terminal():
        raise LocalStackError(
            "There is no terminal to ask for the password at. Write it to standard input instead: "
            f"make account NAME={words[1]} ARGS={_FROM_STDIN} <file-with-the-password"
        )
    url = kept_url(Site.load(directory), service, service)
    if url is None:
        raise LocalStackError(f"There is no database of {service} yet: `make up` makes it.")
    command = [sys.executable, "-m", service, "accounts", *words]
    environment = {**os.environ, "DATABASE_URL": url}
    return subprocess.run(command, env=environment, cwd=WORK_TREE, check=False).returncode  # noqa: S603 - ours


def _terminal() -> bool:
    """Whether a person can be asked for something that is not shown."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return sys.stdin.isatty()
    return True
