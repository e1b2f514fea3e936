"""The shop's own database: one SQLite file with its orders, the webhooks it has received, and its webhook secrets.

Each call is one small statement on a local file, well below a millisecond, so it is made on the event loop.
"""

import json
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from esim_fulfilment import NewOrder, RefundCase
from esim_fulfilment.models import Order

_TABLES = """
CREATE TABLE IF NOT EXISTS orders (
    ref TEXT PRIMARY KEY,
    session TEXT NOT NULL,
    placed_at TEXT NOT NULL,
    request TEXT,
    order_id TEXT UNIQUE,
    parent TEXT,
    seen TEXT,
    refund TEXT,
    stale INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX IF NOT EXISTS orders_of_session ON orders (session, placed_at);
CREATE TABLE IF NOT EXISTS webhooks (
    webhook_id TEXT PRIMARY KEY,
    received_at TEXT NOT NULL,
    type TEXT NOT NULL,
    order_id TEXT,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS webhooks_of_order ON webhooks (order_id, received_at);
CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class ShopOrder:
    """An order as the shop has it. `ref` is the shop's own number of it, and the idempotency key."""

    ref: str
    session: str
    placed_at: datetime
    #: What was or will be sent; None after the buyer's data were erased.
    request: NewOrder | None
    #: None until the order was answered.
    order_id: str | None
    #: The order whose eSIM this one tops up.
    parent: str | None
    #: The last answer about it.
    seen: Order | None
    refund: RefundCase | None
    #: Whether a webhook has come since `seen`.
    stale: bool


@dataclass(frozen=True, slots=True)
class ReceivedWebhook:
    """A verified webhook."""

    webhook_id: str
    received_at: datetime
    type: str
    order_id: str | None
    body: str

    @property
    def pretty(self) -> str:
        """Its body, indented."""
        return json.dumps(json.loads(self.body), indent=2, ensure_ascii=False)


class Store:
    """The database. `Store(path)` creates what is missing."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA secure_delete = ON")  # erased data leave no trace in the file
        self._db.executescript(_TABLES)
        path.chmod(0o600)  # buyers' data and the webhook secret

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # --- orders ---

    def begin(self, ref: str, session: str, request: NewOrder, parent: str | None = None) -> None:
        """Store what is going to be sent, before it is sent. What was not accepted yet is replaced."""
        self._db.execute(
            "INSERT INTO orders (ref, session, placed_at, request, parent) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (ref) DO UPDATE SET request = excluded.request WHERE orders.order_id IS NULL",
            (ref, session, _now(), request.model_dump_json(), parent),
        )

    def drop(self, ref: str) -> None:
        """Forget an order that was refused."""
        self._db.execute("DELETE FROM orders WHERE ref = ? AND order_id IS NULL", (ref,))

    def accepted(self, ref: str, order_id: str) -> None:
        """Store the id of an order that was accepted."""
        self._db.execute("UPDATE orders SET order_id = ? WHERE ref = ?", (order_id, ref))

    def saw(self, ref: str, order: Order) -> None:
        """Store the present answer about an order."""
        self._db.execute("UPDATE orders SET seen = ?, stale = 0 WHERE ref = ?", (order.model_dump_json(), ref))

    def refund(self, ref: str, case: RefundCase) -> None:
        """Store the answer to a request for a refund."""
        self._db.execute("UPDATE orders SET refund = ?, stale = 1 WHERE ref = ?", (case.model_dump_json(), ref))

    def order(self, ref: str, session: str) -> ShopOrder | None:
        """An order of this buyer's session."""
        row = self._db.execute("SELECT * FROM orders WHERE ref = ? AND session = ?", (ref, session)).fetchone()
        return None if row is None else _order(row)

    def orders(self, session: str) -> list[ShopOrder]:
        """The orders of a session, newest first."""
        rows = self._db.execute("SELECT * FROM orders WHERE session = ? ORDER BY placed_at DESC", (session,))
        return [_order(row) for row in rows]

    # --- webhooks ---

    def heard(self, webhook_id: str, type_: str, order_id: str | None, body: bytes) -> str | None:
        """Store a webhook once and mark its order. Returns the order's ref, None where the shop has no such order.

        A webhook can come before the answer that names the order's id: then its order is asked about when it is shown.
        """
        self._db.execute(
            "INSERT INTO webhooks (webhook_id, received_at, type, order_id, body) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (webhook_id) DO NOTHING",
            (webhook_id, _now(), type_, order_id, body.decode()),
        )
        if order_id is None:
            return None
        row = self._db.execute("UPDATE orders SET stale = 1 WHERE order_id = ? RETURNING ref", (order_id,)).fetchone()
        return None if row is None else str(row["ref"])

    def erase(self, order_id: str) -> None:
        """Delete the personal data of an order."""
        self._db.execute("UPDATE orders SET request = NULL, session = '' WHERE order_id = ?", (order_id,))
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def webhooks(self, order_id: str | None = None, limit: int = 50) -> list[ReceivedWebhook]:
        """The newest webhooks, of one order or of all."""
        rows = self._db.execute(
            "SELECT * FROM webhooks WHERE ?1 IS NULL OR order_id = ?1 ORDER BY received_at DESC, rowid DESC LIMIT ?2",
            (order_id, limit),
        )
        return [_webhook(row) for row in rows]

    # --- secrets ---

    def secret(self, name: str) -> str | None:
        """A stored value."""
        row = self._db.execute("SELECT value FROM secrets WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row["value"])

    def keep_secret(self, name: str, value: str) -> None:
        """Store a value."""
        self._db.execute(
            "INSERT INTO secrets VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value)
        )


def _order(row: sqlite3.Row) -> ShopOrder:
    return ShopOrder(
        ref=row["ref"],
        session=row["session"],
        placed_at=datetime.fromisoformat(row["placed_at"]),
        request=_read(NewOrder, row["request"]),
        order_id=row["order_id"],
        parent=row["parent"],
        seen=_read(Order, row["seen"]),
        refund=_read(RefundCase, row["refund"]),
        stale=bool(row["stale"]),
    )


def _read(model: Any, text: str | None) -> Any:
    return None if text is None else model.model_validate_json(text)


def _webhook(row: sqlite3.Row) -> ReceivedWebhook:
    moment = datetime.fromisoformat(row["received_at"])
    return ReceivedWebhook(row["webhook_id"], moment, row["type"], row["order_id"], row["body"])


def _now() -> str:
    return datetime.now(UTC).isoformat()
