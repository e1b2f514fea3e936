"""The chain on Celery with Redis: two tasks per order, acknowledged late, Redis with an fsync for each write."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psycopg
from celery import Celery
from common import DELIVERED, GENERATED, TABLE, Options, child_options, measure

_CONCURRENCY = 2
_options = Options(**json.loads(os.environ["OPTIONS"])) if "OPTIONS" in os.environ else Options.read()
app = Celery("celery_chain", broker=_options.broker)
app.conf.update(task_acks_late=True, task_ignore_result=True, worker_prefetch_multiplier=64, task_serializer="json")
_connection: list[psycopg.Connection] = []


def _execute(statement: str, order: str) -> None:
    if not _connection:
        _connection.append(psycopg.connect(_options.database, autocommit=True))
    _connection[0].execute(statement, [order])


@app.task(name="provision")
def provision(order: str) -> None:
    _execute(GENERATED, order)
    notify.delay(order)


@app.task(name="notify")
def notify(order: str) -> None:
    _execute(DELIVERED, order)


def main() -> None:
    """Measure."""
    with psycopg.connect(_options.database, autocommit=True) as connection:
        connection.execute(TABLE)
    command = [sys.executable, "-m", "celery", "-A", "celery_chain", "worker", f"--concurrency={_CONCURRENCY}"]
    quiet = ["--loglevel=ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    environment = {**os.environ, "OPTIONS": child_options(_options)}
    worker = subprocess.Popen([*command, *quiet], env=environment, cwd=Path(__file__).parent)

    def pay(orders: Sequence[str]) -> None:
        with app.producer_pool.acquire(block=True) as producer:
            for order in orders:
                provision.apply_async((order,), producer=producer)

    try:
        measure(_options, pay)
    finally:
        worker.terminate()
        worker.wait()


if __name__ == "__main__":
    main()
