"""One service's database is put back to an earlier moment while the others go on: nothing is done twice or lost.

The commands are those of docs/how-to/restore-a-database.md.
"""

import asyncio
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from local_stack.paths import WORK_TREE
from local_stack.postgres_files import postgres_server
from product.harness import Running
from product.judge import until
from product.running import Product
from shared.testing.backends import backends
from test_replay import UNMADE, behind, positions

#: Payments and ordering are not proved (docs/how-to/restore-a-database.md).
RECOVERED = ("notifications", "ordering", "payments", "provisioning", "refunds")
RIGHTS = WORK_TREE / "deploy" / "compose" / "postgres" / "rights" / "service.sql"


@pytest.mark.long
@pytest.mark.exhaustive
@pytest.mark.parametrize("name", RECOVERED)
async def test_a_restored_service_does_nothing_twice_and_loses_nothing(
    running: Running, name: str, tmp_path: Path
) -> None:
    await programs_fit()
    product, file = running.product, tmp_path / f"{name}.dump"
    since = datetime.now(UTC)
    await running.sandbox.faults(UNMADE)
    # given: a backup of one service's database, and orders that were made, and refunded, before and after it
    kept = await running.shop.buy_many(2)
    await running.judge.delivered(kept)
    await run("pg_dump", "--format=custom", f"--file={file}", admin_url(product, name))
    made = await running.shop.buy_many(3)
    unmade = await running.shop.buy_many(2, plan="kz-3gb-15d")
    profiles = await running.judge.delivered([*kept, *made])
    await running.judge.refunded(unmade, beside=profiles)
    bank, operator = await running.sandbox.ledger_bank(), await running.sandbox.ledger_operator()
    read = await asyncio.to_thread(positions, product)

    # when: the database is put back, the service recovered (twice, as after a failure in the middle) and started
    await product.services[name].stop()
    await put_back(product, name, file)
    # The others go on: buyers order and pay meanwhile, where this service is not needed for that.
    meanwhile = await running.shop.buy_many(1) if name not in {"ordering", "payments"} else []
    for _ in range(2):
        await recover(product, name, since)
    product.services[name].start()
    await product.ready(name)
    await until(lambda: behind(product, read))

    # then: what was done stays done, and new orders go through
    later = await running.shop.buy_many(2)
    every = await running.judge.delivered([*kept, *made, *meanwhile, *later], copies=10)
    await running.judge.refunded(unmade, beside=every, copies=10)
    assert (await running.sandbox.ledger_bank())[: len(bank)] == bank
    assert (await running.sandbox.ledger_operator())[: len(operator)] == operator


async def programs_fit() -> None:
    """Skip where `pg_dump` is missing, or older than a server that runs in a container."""
    with psycopg.connect(f"{backends().postgres}/postgres") as connection:
        server = connection.info.server_version // 10_000
    try:
        found = re.search(r"\d+", await run("pg_dump", "--version"))
    except FileNotFoundError:
        found = None
    if found is None or int(found[0]) < server:
        pytest.skip(f"needs pg_dump and pg_restore of PostgreSQL {server}")


async def put_back(product: Product, name: str, file: Path) -> None:
    """A new database from the backup; the lost one stays under another name."""
    url = admin_url(product, name)
    server, _, database = url.rpartition("/")
    role = product.site.databases[name].partition("://")[2].partition(":")[0]
    for statement in (f"ALTER DATABASE {database} RENAME TO {database}_lost", f"CREATE DATABASE {database}"):
        await run("psql", f"{server}/postgres", "--set=ON_ERROR_STOP=1", f"--command={statement}")
    await run("pg_restore", "--exit-on-error", "--single-transaction", f"--dbname={url}", file)
    await run("psql", url, "--set=ON_ERROR_STOP=1", f"--set=service={role}", "--set=owner=postgres", f"--file={RIGHTS}")
    await run("psql", f"{server}/postgres", f"--command=DROP DATABASE {database}_lost")


async def recover(product: Product, name: str, since: datetime) -> None:
    """`python -m <service> recover` with the service's own settings and rights."""
    environment = product.services[name].environment
    output = await run(sys.executable, "-m", name, "recover", "--since", since.isoformat(), environment=environment)
    assert "recovered; start it" in output


def admin_url(product: Product, name: str) -> str:
    """The service's database, as a superuser."""
    return f"{backends().postgres}/{product.site.databases[name].rpartition('/')[2]}"


async def run(program: str, *arguments: object, environment: Mapping[str, str] | None = None) -> str:
    """Run a program to its end; what it prints. The database's own programs are those of the server."""
    beside = postgres_server().programs / program
    command = [str(beside) if beside.exists() else program, *map(str, arguments)]
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0, printed.decode()
    return printed.decode()
