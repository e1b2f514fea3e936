"""Where a server's data lies, and the passwords that go with it.

An ordinary user's data lies in the stack's own folder. The unprivileged user that serves root may
not be able to enter the work tree, so there it lies in a private folder beneath /var/tmp, and
`postgres.json` in the stack's folder says where. Throwaway data lies in memory where it can. Each
such folder names its owner, so that it can be removed when the owner is gone.
"""

import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from local_stack.errors import ComponentFailedError, LocalStackError
from local_stack.memory import MEMORY, OWNER_FILE
from local_stack.paths import read_json, write_private
from local_stack.postgres_files import SHARED_TMP, PostgresServer
from local_stack.programs import run

PREFIX = "esim-postgres-"
SUPERUSER = "postgres"
SCRAM = "scram-sha-256"
_PLACES = (SHARED_TMP, MEMORY)
LOCALE = "C.UTF-8" if sys.platform == "linux" else "C"


class PostgresHome:
    """The folder, state and secrets of one server."""

    def __init__(self, directory: Path, server: PostgresServer, beneath: Path | None = None) -> None:
        self._directory = directory
        self._beneath = beneath
        self._server = server
        self._state_file = directory / "postgres.json"
        state = read_json(self._state_file) or {}
        self.superuser_password: str = state.get("superuser_password") or secrets.token_urlsafe(24)
        self._passwords: dict[str, str] = state.get("passwords") or {}
        self._base: str | None = state.get("base")

    @property
    def data(self) -> Path:
        """The data directory; made by `prepare`."""
        return self._base_directory() / "data"

    def password(self, role: str) -> str:
        """The role's password, invented and stored when it is first asked for."""
        if role not in self._passwords:
            self._passwords[role] = secrets.token_urlsafe(24)
            self._save()
        return self._passwords[role]

    def prepare(self, log: Path, authentication: str = SCRAM, copy_of: str | None = None) -> None:
        """Make sure an initialised data directory exists; a new one gets this authentication.

        `copy_of`: the URL of a running server of which a new one is a copy that follows it. Raises
        ComponentFailedError when `initdb` or `pg_basebackup` does not succeed, LocalStackError when data that was there
        has vanished: an empty database beside Kafka's old offsets would look well and have lost every order.
        """
        if self._base is None:
            self._new_base()
        elif not Path(self._base).is_dir():
            raise LocalStackError(f"the database's data in {self._base} has vanished; `make clean` begins anew")
        if self.data.exists():
            return
        draft = self.data.with_name("data.new")
        shutil.rmtree(draft, ignore_errors=True)
        if copy_of is None:
            self._initdb(draft, log, authentication)
        else:
            options = ["-d", copy_of, "-D", str(draft), "--write-recovery-conf", "--checkpoint=fast"]
            self._run("pg_basebackup", options, log)
        draft.rename(self.data)

    def _base_directory(self) -> Path:
        return Path(self._base) if self._base else self._directory

    def _new_base(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        if self._server.user is None and self._beneath is None:
            self._base = str(self._directory)
        else:
            remove_abandoned()
            base = Path(tempfile.mkdtemp(dir=self._beneath or SHARED_TMP, prefix=PREFIX))
            (base / OWNER_FILE).write_text(str(self._directory.resolve()))
            os.chown(base, *self._server.ids)
            self._base = str(base)
        self._save()

    def _initdb(self, draft: Path, log: Path, authentication: str) -> None:
        password = self.data.with_name("password")
        password.touch(mode=0o600)
        os.chown(password, *self._server.ids)
        password.write_text(self.superuser_password)
        try:
            options = ["-D", str(draft), "-U", SUPERUSER, f"--pwfile={password}", "-A", authentication]
            self._run("initdb", [*options, "-E", "UTF8", f"--locale={LOCALE}", "--data-checksums"], log)
        finally:
            password.unlink()

    def _run(self, program: str, options: Sequence[str], log: Path) -> None:
        ids = None if self._server.user is None else self._server.ids
        done = run([self._server.programs / program, *options], ids=ids, environment=server_environment())
        if done.returncode != 0:
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text(done.stdout)
            raise ComponentFailedError(f"Postgres's {program}", f"exited ({done.returncode})", log)

    def _save(self) -> None:
        state = {"base": self._base, "superuser_password": self.superuser_password, "passwords": self._passwords}
        write_private(self._state_file, state)


def server_environment() -> dict[str, str]:
    """Nothing of the caller's settings (PGDATA and its like) reaches the server."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": LOCALE, "TZ": "UTC"}


def remove_data(directory: Path) -> None:
    """Delete what a stopped server kept for the stack in `directory`, wherever it lies."""
    base = Path((read_json(directory / "postgres.json") or {}).get("base") or directory)
    if base.parent in _PLACES and base.name.startswith(PREFIX):
        shutil.rmtree(base, ignore_errors=True)
    shutil.rmtree(directory, ignore_errors=True)


def remove_abandoned() -> None:
    """Delete folders beneath /var/tmp and in memory whose stack folder no longer exists (removed by hand)."""
    for base in (base for place in _PLACES for base in place.glob(f"{PREFIX}*")):
        try:
            owner = Path((base / OWNER_FILE).read_text())
        except OSError:
            continue
        state = read_json(owner / "postgres.json")
        if not owner.exists() or (state is not None and state.get("base") != str(base)):
            shutil.rmtree(base, ignore_errors=True)
