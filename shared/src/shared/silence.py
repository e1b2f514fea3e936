"""Connections to Postgres that do not wait for ever.

Postgres ends a statement after 20 s and then answers. A connection can be dead although nobody closed it: its other
side lost power, or something between forgot it. Then no answer ever comes, and TCP alone notices after hours.
"""

from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus

RV = TypeVar("RV")

#: Whoever has heard nothing for longer than a statement may take, and its answer, has lost the connection.
ANSWER_SECONDS = 25.0
#: Between two looks for other events, as psycopg has it.
_INTERVAL_SECONDS = 0.1
#: Seconds without a packet, seconds between probes, lost probes: a silent peer is noticed within 25 s on both sides. On
#: the server's side the locks of a client that vanished are released then.
_IDLE, _BETWEEN, _PROBES = 10, 5, 3
_UNACKNOWLEDGED_MS = 25_000


class AnsweringConnection(psycopg.AsyncConnection[Any]):
    """A connection that is closed, and lost, when the server answers nothing for 25 s."""

    async def wait(
        self,
        gen: PQGen[RV],
        interval: float = _INTERVAL_SECONDS,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is psycopg's
    ) -> RV:
        """Wait for the server, as everything that a connection does. Raises psycopg.OperationalError."""
        try:
            return await super().wait(gen, interval, ANSWER_SECONDS if timeout is None else timeout)
        except psycopg.OperationalError as error:
            if error.sqlstate is None and self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                await self.close()
                raise psycopg.OperationalError(f"no answer from the database for {ANSWER_SECONDS:.0f} s") from error
            raise


#: For `connect_args` of an engine.
ARGUMENTS = {
    "async_creator_fn": AnsweringConnection.connect,
    "keepalives_idle": _IDLE,
    "keepalives_interval": _BETWEEN,
    "keepalives_count": _PROBES,
    "tcp_user_timeout": _UNACKNOWLEDGED_MS,
}
OPTIONS = (
    f"-c tcp_keepalives_idle={_IDLE} -c tcp_keepalives_interval={_BETWEEN} -c tcp_keepalives_count={_PROBES} "
    f"-c tcp_user_timeout={_UNACKNOWLEDGED_MS}"
)
