"""Keeps a test run's servers as long as the run's owner lives (see shared_infra.py)."""

import asyncio
import secrets
import signal
from contextlib import suppress
from pathlib import Path

from local_stack.access import Access
from local_stack.errors import LocalStackError
from local_stack.infra import Infra, Kafka
from local_stack.kafka_settings import MANY_TOPICS
from local_stack.locks import locked
from local_stack.memory import kafka_directory, memory
from local_stack.paths import write_private
from local_stack.ports import LOOPBACK, free_ports
from local_stack.postgres import CHEAP, THROWAWAY, Postgres
from local_stack.proc import is_running
from local_stack.shared_infra import keeper_lock_path, remove_locks, remove_run

POLL_SECONDS = 0.3
LOCK_TIMEOUT_SECONDS = 5.0


def keep(directory: Path, owner: int) -> int:
    """Run the servers until `owner` is gone, then remove everything. Returns the exit code."""
    with locked(keeper_lock_path(directory), LOCK_TIMEOUT_SECONDS):
        code = asyncio.run(_keep(directory, owner))
    if not is_running(owner):
        remove_locks(directory)
    return code


async def _keep(directory: Path, owner: int) -> int:
    asked_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked_to_stop.set)
    # A starved broker is fenced and not dead: nothing here restarts it, so it need not outwait its old session quickly.
    patient = {"broker.session.timeout.ms": "20000", "broker.heartbeat.interval.ms": "2000"}
    log = directory / "logs" / "kafka.log"
    password, port, open_port = secrets.token_urlsafe(12), *free_ports(2)
    kafka = Kafka(
        kafka_directory(directory / "kafka"),
        port=port,
        open_port=open_port,
        password=password,
        log=log,
        profile=MANY_TOPICS,
        extra_settings=patient,
    )
    log = directory / "logs" / "postgres.log"
    postgres = Postgres(
        directory / "postgres", log=log, extra_settings=THROWAWAY, beneath=memory(), authentication=CHEAP
    )
    infra = Infra(directory, kafka=kafka, postgres=postgres)
    try:
        await infra.start()
        await kafka.grant(Access(()), {})  # the admin; whoever runs a product here says who else there is
    except LocalStackError as error:
        write_private(directory / "infra.json", {"error": str(error)})
        return 1
    state = {
        "bootstrap_servers": f"{LOOPBACK}:{open_port}",
        "secured_servers": infra.bootstrap_servers,
        "kafka_password": password,
        "postgres_admin_url": infra.postgres.admin_url,
    }
    write_private(directory / "infra.json", state)
    while is_running(owner) and not asked_to_stop.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await asked_to_stop.wait()
    infra.kill()
    remove_run(directory)
    return 0
