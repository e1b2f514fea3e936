"""What the three peers share: the table of the chain, and the driver that fills it and waits.

The chain is the product's with trivial steps: an order is paid, its profile is generated, it is delivered. Each of the
two steps is a task of its own that writes its row before the next one begins. A peer reads `Options` as JSON from the
standard input and writes its results as one line of JSON.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from uuid import uuid4

import psycopg

TABLE = """
CREATE TABLE IF NOT EXISTS orders
  (order_id uuid PRIMARY KEY, generated_at timestamptz, delivered_at timestamptz)
"""
GENERATED = "INSERT INTO orders (order_id, generated_at) VALUES (%s, now()) ON CONFLICT DO NOTHING"
DELIVERED = "UPDATE orders SET delivered_at = now() WHERE order_id = %s AND delivered_at IS NULL"
_FLOOD_POLL_SECONDS, _ALONE_POLL_SECONDS = 0.02, 0.0005
_PATIENCE_SECONDS = 600.0


@dataclass(frozen=True)
class Options:
    """`database`: a libpq URL. `orders` come at once, after `warm_up`; `alone` come one after the other."""

    database: str
    orders: int
    warm_up: int
    alone: int
    broker: str = ""

    @classmethod
    def read(cls) -> "Options":
        """From the standard input."""
        return cls(**json.loads(sys.stdin.readline()))


def measure(options: Options, pay: Callable[[Sequence[str]], None]) -> None:
    """Pay a flood, then single orders, and print orders per second and the latencies in milliseconds."""
    with psycopg.connect(options.database, autocommit=True) as connection:

        def flood(count: int) -> float:
            before = _delivered(connection)
            began = time.perf_counter()
            pay([str(uuid4()) for _ in range(count)])
            _wait(lambda: _delivered(connection) >= before + count, _FLOOD_POLL_SECONDS)
            return count / (time.perf_counter() - began)

        def one() -> float:
            order = str(uuid4())
            began = time.perf_counter()
            pay([order])
            _wait(lambda: _is_delivered(connection, order), _ALONE_POLL_SECONDS)
            return (time.perf_counter() - began) * 1000

        flood(options.warm_up)
        rate = flood(options.orders)
        taken = sorted(one() for _ in range(options.alone))
    print(json.dumps({"per_second": rate, "p50_ms": taken[len(taken) // 2], "max_ms": taken[-1]}), flush=True)


def child_options(options: Options) -> str:
    """The options as a child's argument in its environment."""
    return json.dumps(asdict(options))


def _delivered(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT count(*) FROM orders WHERE delivered_at IS NOT NULL").fetchone()
    return row[0] if row else 0


def _is_delivered(connection: psycopg.Connection, order: str) -> bool:
    found = connection.execute("SELECT delivered_at IS NOT NULL FROM orders WHERE order_id = %s", [order]).fetchone()
    return bool(found and found[0])


def _wait(done: Callable[[], bool], pause: float) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while not done():
        if time.monotonic() > until:
            raise TimeoutError(f"not done after {_PATIENCE_SECONDS:.0f} s")
        time.sleep(pause)
