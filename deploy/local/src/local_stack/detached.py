"""Starting, stopping and asking after a stack that runs in the background."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from local_stack.errors import LocalStackError
from local_stack.paths import WORK_TREE
from local_stack.postgres_home import remove_abandoned, remove_data
from local_stack.proc import is_running
from local_stack.progress import Phase, Progress
from local_stack.stack import lock_of
from local_stack.status import STATUS_FILE, Status

START_SECONDS = 600.0  # the first start downloads Kafka
STOP_SECONDS = 60.0
POLL_SECONDS = 0.1


def running(directory: Path) -> Status | None:
    """The status of the stack in that folder while somebody runs it; what a dead supervisor left is not believed."""
    return Status.read(directory) if lock_of(directory).is_held() else None


def supervise_command(name: str) -> list[str]:
    """The command line of the process that runs a stack in the background."""
    return [sys.executable, "-m", "local_stack", "supervise", "--stack", name]


def start(name: str, directory: Path, progress: Progress, command: Sequence[str] | None = None) -> Status:
    """Run the stack in the background (by `supervise_command`) and return when it is ready.

    Raises LocalStackError when it does not come up, with the failed component's last log lines.
    """
    if lock_of(directory).is_held():
        status = Status.read(directory)
        if status is None or status.phase != Phase.READY:
            raise LocalStackError(f"the stack “{name}” is in use by another program, or still starting or stopping")
        return status
    (directory / STATUS_FILE).unlink(missing_ok=True)
    log = directory / "logs" / "supervisor.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        supervisor = subprocess.Popen(  # noqa: S603 - our own module
            command or supervise_command(name),
            cwd=WORK_TREE,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    with progress:
        status = _await_outcome(supervisor, directory, progress, log)
    supervisor.returncode = 0  # it outlives us on purpose: no warning that it still runs
    return status


def _await_outcome(supervisor: subprocess.Popen[bytes], directory: Path, progress: Progress, log: Path) -> Status:
    shown: dict[str, str] = {}
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        ended = supervisor.poll() is not None
        status = Status.read(directory)
        for name, component in status.components.items() if status else ():
            if shown.get(name) != component.phase:
                shown[name] = component.phase
                progress.report(name, Phase(component.phase))
        if status is not None and status.phase == Phase.READY:
            return status
        if ended:
            failure = status.error if status and status.error else f"the supervisor ended; its log is {log}"
            raise LocalStackError("\n".join(filter(None, [status.log_tail if status else "", failure])))
        time.sleep(POLL_SECONDS)
    stop(directory)
    raise LocalStackError(f"the stack was not ready after {START_SECONDS:.0f} s; the supervisor's log is {log}")


def stop(directory: Path) -> bool:
    """Stop a stack that runs in the background; False when none does.

    Raises LocalStackError when it belongs to a program in the foreground, or does not end.
    """
    status = running(directory)
    if status is None:
        if lock_of(directory).is_held():
            raise LocalStackError(f"the stack in {directory} belongs to a program that is still running")
        return False
    os.kill(status.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while lock_of(directory).is_held():
        if time.monotonic() > deadline:
            os.kill(status.pid, signal.SIGKILL)  # its children die with it
            raise LocalStackError(f"the stack in {directory} did not stop within {STOP_SECONDS:.0f} s and was killed")
        time.sleep(POLL_SECONDS)
    return True


def clean(run: Path) -> list[str]:
    """Stop every stack that runs in the background, delete all that are stopped; returns their names.

    Raises LocalStackError when one is left, because it belongs to a program that is still running.
    """
    removed: list[str] = []
    in_use: list[str] = []
    for directory in sorted(path for path in run.glob("*") if path.is_dir()):
        if directory.name == "tests":
            removed += _clean_tests(directory)
            continue
        try:
            stop(directory)
        except LocalStackError as error:
            in_use.append(str(error))
            continue
        remove_data(directory / "postgres")
        shutil.rmtree(directory)
        removed.append(directory.name)
    remove_abandoned()
    if in_use:
        raise LocalStackError("\n".join([f"Removed: {', '.join(removed) or 'nothing'}.", *in_use]))
    return removed


def _clean_tests(directory: Path) -> list[str]:
    """Test runs clean up behind themselves; remove only what a killed one left."""
    finished = [run for run in directory.iterdir() if run.is_dir() and not is_running(int(run.name))]
    for run in finished:
        remove_data(run / "postgres")
        shutil.rmtree(run, ignore_errors=True)
    return [f"tests/{run.name}" for run in finished]
