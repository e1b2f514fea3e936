"""The API keys of a stack's shops, made as ordering itself makes them."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from local_stack.errors import LocalStackError
from local_stack.paths import WORK_TREE
from local_stack.postgres_databases import kept_url
from local_stack.product import SERVICES
from local_stack.site import Site

_ORDERING = next(service for service in SERVICES if service.name == "ordering")


def keys(directory: Path, words: Sequence[str]) -> int:
    """`python -m ordering keys <words>` with the stack's settings; its exit code. Raises LocalStackError."""
    site = Site.load(directory)
    url = kept_url(site, "ordering", "ordering")
    if url is None:
        raise LocalStackError("There is no database of ordering yet: `make up` makes it.")
    site.databases["ordering"] = url
    command = [sys.executable, *_ORDERING.command[:2], "keys", *words]
    environment = {**os.environ, **_ORDERING.environment(site)}
    return subprocess.run(command, env=environment, cwd=WORK_TREE, check=False).returncode  # noqa: S603 - ours
