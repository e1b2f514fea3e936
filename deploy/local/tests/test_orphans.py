"""Nothing may outlive a runner that is killed with SIGKILL: not its children, not their children."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local_stack.proc import children
from local_stack.testing import eventually, gone

pytestmark = pytest.mark.infra

STACK_RUNNER = """
import asyncio, json, sys
from pathlib import Path
from local_stack.progress import Silent
from local_stack.stack import Stack
from local_stack.testing import ask, dummy

async def main():
    stack = Stack("orphans", directory=Path(sys.argv[1]), components=[dummy("a"), dummy("b")], progress=Silent())
    async with stack:
        pids = [part.pid for part in stack.parts.values()]
        pids += [int(ask(stack.url(name))[1]) for name in ("a", "b")]
        print(json.dumps(pids), flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""

THREAD_RUNNER = """
import asyncio, json, sys, threading, time
from pathlib import Path
from local_stack.processes import ManagedProcess

command = [sys.executable, "-c", "import time; time.sleep(600)"]
process = ManagedProcess("sleeper", command, log=Path(sys.argv[1]) / "log")
thread = threading.Thread(target=process.start)
thread.start()
thread.join()
print(json.dumps([process.pid]), flush=True)
time.sleep(600)
"""


def run_until_it_names_its_children(script: str, directory: Path) -> tuple["subprocess.Popen[str]", list[int]]:
    command = [sys.executable, "-c", script, str(directory)]
    runner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own script
    assert runner.stdout is not None
    return runner, json.loads(runner.stdout.readline())


def kill_hard(runner: "subprocess.Popen[str]") -> None:
    with runner:
        os.kill(runner.pid, signal.SIGKILL)


def test_a_killed_runner_leaves_no_kafka_no_postgres_no_service_and_no_grandchild(tmp_path: Path) -> None:
    runner, pids = run_until_it_names_its_children(STACK_RUNNER, tmp_path / "stack")
    family = pids + [child for pid in pids for child in children(pid)]
    assert len(family) > 6, "Postgres has children of its own"
    assert not gone(*family)
    kill_hard(runner)
    eventually(lambda: gone(*family), "everything is gone")


def test_a_child_started_by_a_short_thread_lives_as_long_as_the_runner_and_no_longer(tmp_path: Path) -> None:
    runner, pids = run_until_it_names_its_children(THREAD_RUNNER, tmp_path)
    assert not gone(*pids)
    kill_hard(runner)
    eventually(lambda: gone(*pids), "the child is gone")
