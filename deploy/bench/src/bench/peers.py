"""The same chain with trivial steps on DBOS, PgQueuer and Celery, in turns with the product, on the same Postgres.

They are programs of `deploy/bench/peers`, in an environment of their own: the product's has none of these libraries.
"""

import asyncio
import json
import os
import shutil
import subprocess
from argparse import Namespace
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench.contenders import admin, the_product
from bench.driver import Driver
from bench.floor_stack import new_databases
from bench.spread import Spread
from local_stack.paths import LOCAL, WORK_TREE, run_dir
from local_stack.ports import free_ports
from local_stack.stack import Stack

PROGRAMS = WORK_TREE / "deploy" / "bench" / "peers"
_UV = LOCAL / "uv"
_REDIS = "redis-server"
#: Celery keeps its tasks in Redis; the others in Postgres.
PEERS = {"pgqueuer": "pgqueuer_chain.py", "dbos": "dbos_chain.py", "celery": "celery_chain.py"}
#: The slowest of them does some fifty orders a second.
_SHARE_OF_ORDERS = {"pgqueuer": 1.0, "dbos": 0.1, "celery": 0.2}
_ALONE = 100


class PeerFailedError(Exception):
    """A peer's program ended without a result."""


async def peers(stack: Stack, arguments: Namespace) -> dict[str, Any]:
    """Orders per second of each peer and of the product, run by run, and one order at a time."""
    python = await asyncio.to_thread(_environment)
    names = [name for name in PEERS if name != "celery" or shutil.which(_REDIS)]
    runs = []
    async with Driver(admin(stack)) as driver, _redis() as broker:
        product = the_product(stack, driver, os.getpid())
        await product.flood(arguments.warm_up, traced=0.01)
        for number in range(arguments.runs):
            run = {
                "product": await product.flood(arguments.orders, traced=0.01),
                "product_alone": await product.one_by_one(_ALONE),
            }
            urls = await new_databases(stack, [f"{name}_{number}" for name in names], "")
            for name in names:
                count = round(arguments.orders * _SHARE_OF_ORDERS[name])
                options = {"database": urls[f"{name}_{number}"], "orders": count, "warm_up": count // 4}
                run[name] = await _measured(python, name, options | {"alone": _ALONE, "broker": broker})
            runs.append(run)
    ratios = {
        f"peer_{name}": Spread.of([run["product"]["per_second"] / run[name]["per_second"] for run in runs]).plain()
        for name in names
    }
    return {"runs": runs, "ratios": ratios, "missing": sorted(PEERS.keys() - set(names))}


def _environment() -> Path:
    """The peers' own Python with their locked packages; made where it is not there or another lock made it."""
    folder = run_dir("bench") / "peers"
    python, lock, made_by = folder / "bin" / "python", PROGRAMS / "requirements.lock", folder / "made-by.lock"
    if not made_by.exists() or made_by.read_bytes() != lock.read_bytes():
        print("Installing the peers' packages into an environment of their own")
        quiet: tuple[str | Path, ...] = ("--quiet", "--python")
        subprocess.run([_UV, "venv", "--quiet", "--clear", "--no-project", folder], check=True)  # noqa: S603 - ours
        install = [_UV, "pip", "install", *quiet, python, "--require-hashes", "--requirements", lock]
        subprocess.run(install, check=True)  # noqa: S603 - ours
        shutil.copyfile(lock, made_by)
    return python


async def _measured(python: Path, name: str, options: Mapping[str, Any]) -> dict[str, float]:
    """What a peer's program says of itself: per_second, p50_ms, max_ms. Raises PeerFailedError."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(python, PROGRAMS / PEERS[name], stdin=pipe, stdout=pipe, stderr=pipe)
    output, complaints = await process.communicate(json.dumps(options).encode() + b"\n")
    # Celery's own banner is on the same output.
    lines = [line for line in output.decode().splitlines() if line.startswith("{")]
    if process.returncode or len(lines) != 1:
        raise PeerFailedError(f"{name} exited ({process.returncode}): {complaints.decode()[-2000:]}")
    measured: dict[str, float] = json.loads(lines[0])
    return measured


@asynccontextmanager
async def _redis() -> AsyncIterator[str]:
    """A Redis that writes each command to the disk before it answers, as Postgres and Kafka do here; its URL."""
    if not shutil.which(_REDIS):
        yield ""
        return
    [port] = free_ports(1)
    folder = run_dir("bench") / "redis"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--dir", str(folder)]
    command = [_REDIS, "--bind", "127.0.0.1", "--port", str(port), *durable]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        await process.wait()
