import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local_stack import detached
from local_stack.errors import ComponentFailedError, LocalStackError
from local_stack.ports import free_port, release
from local_stack.progress import Phase, Silent
from local_stack.stack import Stack, lock_of
from local_stack.status import Status
from local_stack.testing import ask, dummy, eventually, gone

pytestmark = pytest.mark.infra

SUPERVISOR = """
import asyncio, sys
from pathlib import Path
from local_stack.supervisor import Supervisor
from local_stack.testing import dummy

async def main():
    components = [dummy("stand", database=False), dummy("a", mode=sys.argv[2])]
    return await Supervisor("dummies", directory=Path(sys.argv[1]), components=components).run()

sys.exit(asyncio.run(main()))
"""


#: Prints its port, who answers there, and its own child's process id; ends on a signal.
TOGETHER = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from local_stack.ports import free_port, release
from local_stack.progress import Silent
from local_stack.stack import Stack
from local_stack.testing import ask, dummy

async def main():
    component = replace(dummy("a", database=False), preferred_port=PORT)
    async with Stack("dummies", directory=Path(sys.argv[1]), components=[component], progress=Silent()) as stack:
        print(stack.state.ports["a"], ask(stack.url("a"))[0], stack.parts["a"].pid, flush=True)
        await asyncio.to_thread(sys.stdin.readline)

asyncio.run(main())
"""


class Story(Silent):
    def __init__(self) -> None:
        self.reported: list[tuple[str, Phase]] = []

    def report(self, component: str, phase: Phase) -> None:
        self.reported.append((component, phase))

    def order_of(self, phase: Phase) -> list[str]:
        return [name for name, reported_phase in self.reported if reported_phase is phase]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "dummies"


async def test_parts_start_in_order_of_readiness_can_be_killed_and_started_and_stop_in_reverse(directory: Path) -> None:
    story = Story()
    components = [dummy("stand", database=False), dummy("a"), dummy("b")]
    environment = {"a": {"EXTRA": "only-a"}, "*": {"EXTRA": "all"}}
    stack = Stack("dummies", directory=directory, components=components, environment=environment, progress=story)
    async with stack:
        assert set(story.order_of(Phase.READY)[:2]) == {"postgres", "kafka"}
        assert (directory / "a.migrated").read_text() == "a"
        assert ask(stack.url("a"))[2] == "only-a"
        assert ask(stack.url("b"))[2] == "all"
        old = [int(pid) for pid in ask(stack.url("a"))[:2]]
        stack.kill("a")
        eventually(lambda: gone(*old), "both are gone")
        await stack.start("a")
        assert int(ask(stack.url("a"))[0]) not in old
        with pytest.raises(LocalStackError, match="already running"):
            await Stack("dummies", directory=directory, components=components, progress=Silent()).up()
    stopped = story.order_of(Phase.STOPPED)
    assert set(stopped[:2]) == {"a", "b"}
    assert stopped[2] == "stand"
    assert set(stopped[3:]) == {"kafka", "postgres"}


@pytest.mark.long
async def test_ports_keys_and_data_are_kept_unless_a_fresh_start_is_asked_for(directory: Path) -> None:
    async def run(*, fresh: bool) -> tuple[dict[str, int], dict[str, str], bool]:
        stack = Stack("dummies", directory=directory, components=[dummy("a")], fresh=fresh, progress=Silent())
        mark = directory / "kafka" / "mark"
        async with stack:
            kept = mark.exists()
            mark.touch()
            return dict(stack.state.ports), dict(stack.state.seal_keys), kept

    first, second, third = await run(fresh=False), await run(fresh=False), await run(fresh=True)
    assert first[:2] == second[:2] == third[:2]
    assert (first[2], second[2], third[2]) == (False, True, False)


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [
        ("crash", r"^bad exited \(3\) before anybody stopped it; its log is .*logs/bad.log$"),
        ("bad-migration", r"^The migration of bad exited \(1\); its log is .*logs/bad.log$"),
        ("never-ready", r"^bad was not ready after 2 s; its log is .*logs/bad.log$"),
    ],
)
async def test_a_part_that_fails_is_named_and_nothing_is_left_running(
    directory: Path, mode: str, sentence: str
) -> None:
    story = Story()
    components = [dummy("good"), dummy("bad", mode=mode, start_seconds=2)]
    stack = Stack("dummies", directory=directory, components=components, progress=story)
    with pytest.raises(ComponentFailedError, match=sentence):
        await stack.up()
    assert story.order_of(Phase.FAILED) == ["bad"]
    assert not any(part.running for part in stack.parts.values())
    assert not lock_of(directory).is_held()


def test_two_stacks_started_at_the_same_moment_have_ports_of_their_own(directory: Path) -> None:
    preferred = free_port()
    release([preferred])
    program = TOGETHER.replace("PORT", str(preferred))
    stacks = [
        subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", program, str(directory / name)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    try:
        answers = [(one.stdout.readline() if one.stdout else "").split() for one in stacks]
        ports = [answer[0] for answer in answers]
        assert len(set(ports)) == 2
        assert str(preferred) in ports
        assert [answer[1] for answer in answers] == [answer[2] for answer in answers], "the one that answers is its own"
    finally:
        for one in stacks:
            one.communicate("\n", timeout=60)


def supervise(directory: Path, mode: str = "well") -> list[str]:
    return [sys.executable, "-c", SUPERVISOR, str(directory), mode]


def read(directory: Path) -> Status:
    status = Status.read(directory)
    assert status is not None
    return status


def test_a_stack_in_the_background_restarts_what_crashes_and_stops_on_request(directory: Path) -> None:
    story = Story()
    status = detached.start("dummies", directory, story, supervise(directory))
    assert set(story.order_of(Phase.READY)) == {"postgres", "kafka", "stand", "a"}
    assert detached.start("dummies", directory, story, ["never", "run"]).pid == status.pid, "it runs already"
    eventually(lambda: all(part.pid for part in read(directory).components.values()), "every pid is known")
    first = read(directory).components["a"].pid
    assert first is not None
    os.kill(first, signal.SIGKILL)

    def is_back() -> bool:
        a = read(directory).components["a"]
        return (a.restarts, a.phase) == (1, "ready") and a.pid not in {None, first}

    eventually(is_back, "a is back", 30)
    pids = [part.pid for part in read(directory).components.values() if part.pid]
    assert detached.stop(directory)
    eventually(lambda: gone(*pids), "everything is gone")
    assert detached.running(directory) is None
    assert not detached.stop(directory), "nothing is left to stop"


def test_what_a_killed_supervisor_left_behind_is_not_believed(directory: Path) -> None:
    status = detached.start("dummies", directory, Silent(), supervise(directory))
    os.kill(status.pid, signal.SIGKILL)
    eventually(lambda: detached.running(directory) is None, "it counts as stopped")
    again = detached.start("dummies", directory, Silent(), supervise(directory))
    assert again.pid != status.pid
    assert detached.clean(directory.parent) == ["dummies"]
    assert not directory.exists()


def test_a_stack_that_does_not_come_up_in_the_background_says_why(directory: Path) -> None:
    with pytest.raises(LocalStackError) as failure:
        detached.start("dummies", directory, Silent(), supervise(directory, "crash"))
    tail, sentence = str(failure.value).splitlines()[-2:]
    assert tail == "no such setting: FOO"
    assert sentence == f"a exited (3) before anybody stopped it; its log is {directory}/logs/a.log"


async def test_cleaning_leaves_a_stack_alone_that_a_program_uses_and_removes_the_others(directory: Path) -> None:
    other = directory.with_name("other")
    (other / "logs").mkdir(parents=True)
    Status(os.getpid(), phase=Phase.READY).write(directory)  # of an earlier run: nobody may be stopped for it
    async with Stack("dummies", directory=directory, components=[], progress=Silent()) as stack:
        with pytest.raises(LocalStackError, match="dummies belongs to a program that is still running"):
            detached.clean(directory.parent)
        assert all(part.running for part in stack.parts.values())
    assert [path.name for path in sorted(directory.parent.glob("[a-z]*"))] == ["dummies"]
