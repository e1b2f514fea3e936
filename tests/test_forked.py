"""Services of a whole product are forked, to save the seconds of their imports: what has to be as if they were not."""

import os
import signal
import sys
from pathlib import Path

import pytest

from local_stack.http_probe import answers_ok
from local_stack.ports import free_ports
from local_stack.proc import children
from local_stack.processes import ManagedProcess
from product import forked
from product.forked import process_of

OURS = {**os.environ, "PYTHONUNBUFFERED": "1"}


def sandbox(folder: Path) -> tuple[ManagedProcess, int]:
    http, smtp = free_ports(2)
    environment = {
        **OURS,
        "SANDBOX_HTTP_PORT": str(http),
        "SANDBOX_SMTP_PORT": str(smtp),
        "SANDBOX_DATA_DIR": str(folder),
    }
    return process_of("sandbox", ("-m", "sandbox", "serve"), log=folder / "log", environment=environment), http


@pytest.mark.parametrize(
    ("environment", "code", "logged"),
    [
        ({}, 2, "DATABASE_URL: Field required"),
        ({"FAILPOINTS": "no.such.point"}, 1, "FAILPOINTS names 'no.such.point'"),  # read by an import
    ],
)
async def test_it_has_the_environment_and_the_log_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], code: int, logged: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", "of another")
    command = ("-m", "payments", "serve")
    process = process_of("payments", command, log=tmp_path / "log", environment=OURS | environment)
    process.start()
    assert await process.wait_exit(60)
    assert process.exit_code == code
    assert logged in (tmp_path / "log").read_text()


async def test_it_is_killed_and_started_again_and_stopped(tmp_path: Path) -> None:
    process, port = sandbox(tmp_path)
    for end in ("kill", "stop"):
        process.start()
        assert process.pid is not None
        assert os.getpgid(process.pid) == process.pid
        await process.wait_ready(lambda: answers_ok(port, "/health"), 60, port=port)
        if end == "kill":
            process.kill()
            assert process.exit_code == -signal.SIGKILL
        else:
            process.pause()
            await process.stop()
            assert process.exit_code == 0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is forked")
async def test_it_ends_with_its_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process, port = sandbox(tmp_path)
    monkeypatch.setattr(forked, "_servers", {})  # the servers of the other tests go on
    process.start()
    await process.wait_ready(lambda: answers_ok(port, "/health"), 60, port=port)
    forked.end_servers()
    assert await process.wait_exit(60)
    assert process.exit_code == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is forked")
@pytest.mark.parametrize(
    ("changed", "forked"),
    [({}, True), ({"PYTHONPATH": "elsewhere"}, False), ({"TZ": "Asia/Almaty"}, False), ({"OTEL_TRACES": "x"}, False)],
)
async def test_only_what_python_and_libraries_would_read_as_well_is_forked(
    tmp_path: Path, changed: dict[str, str], *, forked: bool
) -> None:
    process, _ = sandbox(tmp_path)
    process.environment |= changed
    process.start()
    assert (process.pid in children(os.getpid())) is not forked
    process.kill()
