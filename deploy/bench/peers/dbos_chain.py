"""The chain on DBOS: one durable workflow of two steps per order, queued in Postgres, performed by two processes."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import psycopg
from common import DELIVERED, GENERATED, TABLE, Options, child_options, measure
from dbos import DBOS, DBOSClient, DBOSConfig

_QUEUE, _VERSION = "orders", "bench"
_PROCESSES, _THREADS = 2, 16
_connections = threading.local()


def _execute(statement: str, order: str, database: str) -> None:
    if not hasattr(_connections, "mine"):
        _connections.mine = psycopg.connect(database, autocommit=True)
    _connections.mine.execute(statement, [order])


def _sqlalchemy(database: str) -> str:
    return database.replace("postgresql://", "postgresql+psycopg://")


def work(database: str) -> None:
    """One process: performs whole workflows."""
    config: DBOSConfig = {
        "name": "peers",
        "system_database_url": _sqlalchemy(database),
        "application_version": _VERSION,
        "sys_db_pool_size": _THREADS,
        "max_executor_threads": _THREADS,
        "log_level": "ERROR",
    }
    DBOS(config=config)

    @DBOS.step()
    def provision(order: str) -> None:
        _execute(GENERATED, order, database)

    @DBOS.step()
    def notify(order: str) -> None:
        _execute(DELIVERED, order, database)

    @DBOS.workflow(name="fulfil")
    def fulfil(order: str) -> None:
        provision(order)
        notify(order)

    DBOS.launch()
    DBOS.register_queue(_QUEUE, worker_concurrency=_THREADS * 4, polling_interval_sec=0.01)
    print("ready", flush=True)
    threading.Event().wait()


def main() -> None:
    """Measure."""
    options = Options.read()
    with psycopg.connect(options.database, autocommit=True) as connection:
        connection.execute(TABLE)
    environment = {**os.environ, "OPTIONS": child_options(options)}
    workers = []
    for _ in range(_PROCESSES):  # one after the other: the first makes the tables
        worker = subprocess.Popen([sys.executable, __file__, "work"], env=environment, stdout=subprocess.PIPE)
        workers.append(worker)
        if worker.stdout is not None:
            worker.stdout.readline()
    client = DBOSClient(system_database_url=_sqlalchemy(options.database))
    pool = ThreadPoolExecutor(_THREADS)

    def enqueue(order: str) -> None:
        client.enqueue({"queue_name": _QUEUE, "workflow_name": "fulfil", "app_version": _VERSION}, order)

    def pay(orders: Sequence[str]) -> None:
        list(pool.map(enqueue, orders))

    try:
        measure(options, pay)
    finally:
        for worker in workers:
            worker.kill()
        pool.shutdown(wait=False, cancel_futures=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        work(json.loads(os.environ["OPTIONS"])["database"])
    else:
        main()
