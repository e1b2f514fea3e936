"""Every command and program of docs/how-to/connect-a-shop.md is run, in the order of the page, as its reader would."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from local_stack.example_shop import shop_environment
from local_stack.ports import free_port
from product.harness import Running

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/how-to/connect-a-shop.md"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"(?:#|//) (\S+\.\w+)\n")
#: What the test's product stands in for; `shop-environment` has a test of its own in deploy/local.
NOT_RUN = {"make up\n", 'eval "$(make -s shop-environment SHOP=qazaq-esim)"\n'}
RECEIVERS = {"python": ("python", "receiver.py"), "node": ("node", "receiver.mjs")}


def blocks(port: int) -> list[tuple[str, str]]:
    """The code blocks of the page, with the port of its receiver replaced."""
    return [(kind, text.replace("9000", str(port))) for kind, text in _BLOCK.findall(PAGE.read_text())]


def test_the_page_has_only_blocks_that_are_run() -> None:
    kinds = {kind for kind, _ in blocks(9000)}
    assert kinds == {"sh", "python", "js"}
    assert all(_FILE.match(text) for kind, text in blocks(9000) if kind != "sh")
    assert {text for kind, text in blocks(9000) if kind == "sh"} > NOT_RUN


@pytest.mark.parametrize("receiver", RECEIVERS)
async def test_from_the_key_to_the_first_verified_webhook(running: Running, tmp_path: Path, receiver: str) -> None:
    if receiver == "node" and shutil.which("node") is None:
        pytest.skip("node is not installed")
    found = blocks(free_port())
    script = _script(found, tmp_path, receiver)
    environment = {**os.environ, **shop_environment(running.product.site, "qazaq-esim")}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    output = tmp_path / "output.txt"
    with output.open("wb") as written:
        process = await asyncio.create_subprocess_exec(
            "bash", "-eu", script, cwd=tmp_path, env=environment, stdout=written, stderr=written, start_new_session=True
        )
    try:
        async with asyncio.timeout(240):
            code = await process.wait()
            text = output.read_text()
            assert code == 0, text
            await _received(output, _orders(tmp_path, text))
    finally:
        with suppress(ProcessLookupError):  # all of it has ended
            os.killpg(process.pid, signal.SIGKILL)
    text = output.read_text()
    assert '"delivered":true' in text.replace(" ", "")
    assert "received order.paid test_" in text


def _script(found: list[tuple[str, str]], folder: Path, receiver: str) -> str:
    """Write the programs, and the commands as one script. The other language's receiver would want the same port."""
    commands = []
    for kind, text in found:
        if kind != "sh":
            (folder / _FILE.match(text)[1]).write_text(text)  # type: ignore[index] # the other test says so
        elif text not in NOT_RUN and not _is_left_out(text, receiver):
            commands.append(text)
            if text.rstrip().endswith("&"):
                commands.append(f"until (exec 3<>/dev/tcp/127.0.0.1/{_port(found)}) 2>/dev/null; do sleep 0.1; done\n")
    (folder / "page.sh").write_text("".join(commands))
    return "page.sh"


def _is_left_out(text: str, receiver: str) -> bool:
    others = [program for name, (_, program) in RECEIVERS.items() if name != receiver]
    return any(program in text for program in others) or (text.startswith("node ") and shutil.which("node") is None)


def _port(found: list[tuple[str, str]]) -> str:
    return next(match[1] for _, text in found if (match := re.search(r"127\.0\.0\.1:(\d+)/webhooks", text)))


def _orders(folder: Path, text: str) -> int:
    """How many orders the page has placed."""
    assert json.loads((folder / "order.json").read_text())["status"] == "placed"
    return 1 + len(re.findall(r"^placed with", text, re.MULTILINE))


async def _received(output: Path, orders: int) -> None:
    """Wait until the receiver has printed what happened to every order."""
    while True:
        text = await asyncio.to_thread(output.read_text)
        types = re.findall(r"received (\S+) (?!test_)", text)
        if all(types.count(f"order.{step}") >= orders for step in ("accepted", "paid", "delivered")):
            return
        await asyncio.sleep(0.1)  # the receiver is another process, whose output is a file; the caller has a deadline


def test_the_programs_of_the_page_are_what_a_linter_accepts(tmp_path: Path) -> None:
    for kind, text in blocks(9000):
        if kind == "python":
            compile(text, "page", "exec")
        elif kind == "sh":
            assert subprocess.run(["bash", "-n", "-c", text], check=False).returncode == 0  # noqa: S603, S607 - bash
