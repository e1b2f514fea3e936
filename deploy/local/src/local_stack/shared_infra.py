"""One broker and one database server for a whole test run, however many processes it has.

The first process that asks starts a detached keeper (`python -m local_stack infra`), the others read
what it wrote. The keeper watches the run's owner (the pytest controller) and, when that is gone by
whatever way, kills both servers and removes their data.
"""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from local_stack.errors import LocalStackError
from local_stack.kafka_login import ADMIN, KafkaLogin
from local_stack.locks import FileLock, locked
from local_stack.memory import remove_kafka_directory
from local_stack.paths import WORK_TREE, read_json
from local_stack.postgres_home import remove_data
from local_stack.proc import is_running

OWNER_VARIABLE = "LOCAL_STACK_OWNER"
"""The pid of the test run's owner. Set by the root conftest before it starts workers, which inherit it."""

START_TIMEOUT_SECONDS = 300.0  # the first run on a machine downloads Kafka
POLL_SECONDS = 0.05
RUNS = WORK_TREE / ".run" / "tests"


@dataclass(frozen=True)
class SharedInfra:
    """How to reach the shared servers."""

    bootstrap_servers: str
    """Where the broker asks nobody who they are."""
    kafka: KafkaLogin
    """The admin, where it does ask."""
    postgres_admin_url: str
    """The superuser's libpq URL for the database `postgres`."""
    directory: Path
    """Logs are in `directory/logs`."""


def own_this_run() -> None:
    """Make this process the owner of the run's servers, unless one of its ancestors is already."""
    os.environ.setdefault(OWNER_VARIABLE, str(os.getpid()))


def shared_infra() -> SharedInfra:
    """The run's servers, started by the first caller (under 5 s once Kafka is in the cache).

    Raises LocalStackError when they could not be started; the text says which and where its log is.
    """
    own_this_run()
    owner = int(os.environ[OWNER_VARIABLE])
    directory = RUNS / str(owner)
    with locked(_callers_lock_path(directory), START_TIMEOUT_SECONDS):
        if not FileLock(keeper_lock_path(directory)).is_held():
            remove_run(directory)
            _remove_abandoned()
            _start_keeper(directory, owner)
        state = _wait_for_state(directory)
    if "error" in state:
        raise LocalStackError(state["error"])
    admin = KafkaLogin(state["secured_servers"], ADMIN, state["kafka_password"])
    return SharedInfra(state["bootstrap_servers"], admin, state["postgres_admin_url"], directory)


def keeper_lock_path(directory: Path) -> Path:
    """Locked by the keeper as long as it lives."""
    return directory.with_name(f"{directory.name}.keeper")


def remove_run(directory: Path) -> None:
    """Delete all that a finished run's servers kept."""
    remove_data(directory / "postgres")
    remove_kafka_directory(directory / "kafka")
    shutil.rmtree(directory, ignore_errors=True)


def remove_locks(directory: Path) -> None:
    """Delete the lock files of a run whose owner is gone, so that nobody will ask for them again."""
    keeper_lock_path(directory).unlink(missing_ok=True)
    _callers_lock_path(directory).unlink(missing_ok=True)


def _callers_lock_path(directory: Path) -> Path:
    return directory.with_name(f"{directory.name}.lock")


def _remove_abandoned() -> None:
    """Delete what runs left whose owner and keeper were both killed."""
    for directory in RUNS.iterdir():
        if not directory.is_dir() or is_running(int(directory.name)):
            continue
        if not FileLock(keeper_lock_path(directory)).is_held():
            remove_run(directory)
            remove_locks(directory)


def _start_keeper(directory: Path, owner: int) -> None:
    log = directory / "logs" / "keeper.log"
    log.parent.mkdir(parents=True)
    command = [sys.executable, "-m", "local_stack", "infra", "--state", str(directory), "--owner", str(owner)]
    with log.open("ab") as output:
        keeper = subprocess.Popen(  # noqa: S603 - our own module
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    keeper.returncode = 0  # it outlives us on purpose: no warning that it still runs


def _wait_for_state(directory: Path) -> dict[str, str]:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    log = directory / "logs" / "keeper.log"
    seen_running = False
    while True:
        state = read_json(directory / "infra.json")
        if state is not None:
            return state
        held = FileLock(keeper_lock_path(directory)).is_held()
        seen_running = seen_running or held
        if (seen_running and not held) or time.monotonic() > deadline:
            raise LocalStackError(f"the keeper of the test servers did not start them; its log is {log}")
        time.sleep(POLL_SECONDS)
