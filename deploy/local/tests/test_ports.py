import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from local_stack.errors import ComponentFailedError
from local_stack.http_probe import answers_ok
from local_stack.ports import FIRST, LAST, LOOPBACK, free_port, free_ports, is_free, release
from local_stack.proc import listens
from local_stack.processes import ManagedProcess
from local_stack.site import Site

#: Chooses ports as a stack does, prints them, and goes on holding them until it is killed.
CHOOSER = """
import sys, time
from pathlib import Path
from local_stack.site import Site
site = Site.load(Path(sys.argv[1]))
site.claim_ports({name: int(port) for name, port in (one.split("=") for one in sys.argv[2:])})
print(*site.ports.values(), flush=True)
time.sleep(600)
"""


def listener() -> socket.socket:
    server = socket.create_server((LOOPBACK, free_port()))
    server.listen()
    return server


def test_a_free_port_can_be_listened_on_and_is_none_that_the_kernel_gives_to_clients() -> None:
    port = free_port()
    assert FIRST <= port <= LAST
    with socket.create_server((LOOPBACK, port)):
        assert not is_free(port)


def test_the_preferred_port_is_taken_when_free_and_left_alone_when_not() -> None:
    with listener() as server:
        used = server.getsockname()[1]
        assert free_port(used) != used
    wish = free_port()
    assert free_port(wish) != wish, "it is held"
    release([wish])
    assert free_port(wish) == wish


def test_ports_asked_for_together_differ() -> None:
    assert len(set(free_ports(30))) == 30


def test_a_stack_remembers_its_ports_and_changes_only_the_one_that_was_lost(tmp_path: Path) -> None:
    site = Site.load(tmp_path)
    site.claim_ports({"a": None, "b": None})
    site.invent_secrets(["a"], ["shop"], ["support"])
    site.save()
    site.release_ports()
    with socket.create_server((LOOPBACK, site.ports["a"])):
        again = Site.load(tmp_path)
        again.claim_ports({"a": None, "b": None})
    assert again.ports["a"] != site.ports["a"]
    assert again.ports["b"] == site.ports["b"]
    assert (again.seal_keys, again.storefront_keys) == (site.seal_keys, site.storefront_keys)
    assert again.agent_keys == site.agent_keys


def test_only_its_owner_may_read_a_stacks_keys(tmp_path: Path) -> None:
    site = Site.load(tmp_path)
    site.invent_secrets(["a"], ["shop"], ["support"])
    site.save()
    assert (tmp_path / "stack.json").stat().st_mode & 0o077 == 0


def test_a_stack_that_is_claimed_again_keeps_its_ports(tmp_path: Path) -> None:
    site = Site.load(tmp_path)
    site.claim_ports({"a": None, "b": None})
    before = dict(site.ports)
    site.claim_ports({"a": None, "b": None})
    assert site.ports == before


def test_those_who_choose_at_the_same_moment_choose_different_ports_until_one_dies(tmp_path: Path) -> None:
    wanted = free_ports(6)
    release(wanted)
    names = [f"{number}={port}" for number, port in enumerate(wanted)]
    choosers = [
        subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", CHOOSER, str(tmp_path / str(number)), *names], stdout=subprocess.PIPE, text=True
        )
        for number in range(4)
    ]
    try:
        chosen = [[int(port) for port in (one.stdout.readline() if one.stdout else "").split()] for one in choosers]
        everything = [port for ports in chosen for port in ports]
        assert len(everything) == len(set(everything)) == 24
        assert set(wanted) <= set(everything), "somebody got each of them"
        assert free_port(wanted[0]) != wanted[0], "nothing listens there yet, and it is held all the same"
        holder = next(one for one, ports in zip(choosers, chosen, strict=True) if wanted[0] in ports)
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        assert free_port(wanted[0]) == wanted[0]
    finally:
        for one in choosers:
            one.kill()
            one.communicate()


def test_who_listens_is_known() -> None:
    with listener() as server:
        port = server.getsockname()[1]
        assert listens(os.getpid(), port)
        assert listens(os.getppid(), port), "a child's port counts"
        with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as stranger:
            assert not listens(stranger.pid, port)
            stranger.kill()


async def test_a_strangers_answer_does_not_make_a_process_ready(tmp_path: Path) -> None:
    port = free_port()

    def process(name: str, *arguments: str) -> ManagedProcess:
        environment = {"HTTP_PORT": str(port)}
        return ManagedProcess(name, [sys.executable, *arguments], log=tmp_path / f"{name}.log", environment=environment)

    async def ready() -> bool:
        return await answers_ok(port, "/health/ready")

    stranger = process("stranger", "-m", "local_stack.dummy_service", "serve")
    waits = process("waits", "-c", "import time; time.sleep(600)")
    late = process("late", "-c", f"import socket; socket.create_server(('{LOOPBACK}', {port}))")
    try:
        stranger.start()
        await stranger.wait_ready(ready, 20, port=port)
        waits.start()
        with pytest.raises(ComponentFailedError, match=f"another process answers on port {port}"):
            await waits.wait_ready(ready, 1, port=port)
        late.start()
        with pytest.raises(ComponentFailedError, match=r"late exited \(1\)"):
            await late.wait_ready(ready, 20, port=port)
    finally:
        for one in (stranger, waits, late):
            one.kill()
