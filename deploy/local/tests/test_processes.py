import sys
from functools import partial
from pathlib import Path

import pytest

from local_stack.errors import ComponentFailedError
from local_stack.http_probe import answers_ok
from local_stack.ports import LOOPBACK, free_port
from local_stack.processes import ManagedProcess
from local_stack.testing import ask, eventually, gone

pytestmark = pytest.mark.infra


def process(tmp_path: Path, *arguments: str, mode: str = "well", port: int = 0) -> ManagedProcess:
    return ManagedProcess(
        "The dummy",
        [sys.executable, *(arguments or ("-m", "local_stack.dummy_service", "serve"))],
        log=tmp_path / "logs" / "dummy.log",
        environment={"HTTP_PORT": str(port), "DUMMY_MODE": mode},
    )


async def ready(port: int) -> bool:
    return await answers_ok(port, "/health/ready")


async def test_start_stop_and_start_again(tmp_path: Path) -> None:
    port = free_port()
    dummy = process(tmp_path, port=port)
    for _ in range(2):
        dummy.start()
        await dummy.wait_ready(lambda: ready(port), 20)
        leader, child = map(int, ask(f"http://{LOOPBACK}:{port}"))
        assert dummy.pid == leader
        await dummy.stop()
        assert not dummy.running
        eventually(partial(gone, leader, child), "its child goes with it")


async def test_kill_takes_the_whole_family(tmp_path: Path) -> None:
    port = free_port()
    dummy = process(tmp_path, port=port)
    dummy.start()
    await dummy.wait_ready(lambda: ready(port), 20)
    pids = [int(pid) for pid in ask(f"http://{LOOPBACK}:{port}")]
    dummy.kill()
    eventually(lambda: gone(*pids), "both are gone")
    assert dummy.exit_code == -9


async def test_a_frozen_process_does_not_answer_continues_when_thawed_and_can_be_stopped_frozen(tmp_path: Path) -> None:
    port = free_port()
    dummy = process(tmp_path, port=port)
    dummy.start()
    await dummy.wait_ready(lambda: ready(port), 20)
    dummy.pause()
    assert dummy.running
    with pytest.raises(TimeoutError):
        ask_quickly(port)
    dummy.resume()
    await dummy.wait_ready(lambda: ready(port), 20)
    dummy.pause()
    await dummy.stop()
    assert not dummy.running


def ask_quickly(port: int) -> None:
    import socket  # noqa: PLC0415 - only here

    with socket.create_connection((LOOPBACK, port), timeout=0.3) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        connection.recv(1)


async def test_an_early_exit_is_an_error_with_the_log(tmp_path: Path) -> None:
    dummy = process(tmp_path, mode="crash")
    dummy.start()
    with pytest.raises(ComponentFailedError) as failure:
        await dummy.wait_ready(lambda: ready(1), 20)
    assert str(failure.value) == f"The dummy exited (3) before anybody stopped it; its log is {dummy.log}"
    assert failure.value.log_tail == "no such setting: FOO"


async def test_a_process_that_never_gets_ready_is_an_error(tmp_path: Path) -> None:
    port = free_port()
    dummy = process(tmp_path, mode="never-ready", port=port)
    dummy.start()
    with pytest.raises(ComponentFailedError, match=r"^The dummy was not ready after 1 s; its log is "):
        await dummy.wait_ready(lambda: ready(port), 1)
    dummy.kill()


def test_a_program_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    dummy = ManagedProcess("The dummy", ["/no/such/program"], log=tmp_path / "dummy.log")
    with pytest.raises(ComponentFailedError, match="The dummy could not be started"):
        dummy.start()


async def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    deaf = "import signal,sys,time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    dummy = process(tmp_path, "-c", deaf)
    dummy.start()

    async def deaf_now() -> bool:
        return "deaf" in dummy.log.read_text()

    await dummy.wait_ready(deaf_now, 20)
    await dummy.stop(grace=0.2)
    assert dummy.exit_code == -9
