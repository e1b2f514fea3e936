"""The only module that uses private parts of aiokafka: its fetcher gets our parser, and some of its state is read.

aiokafka 0.14 parses records inside `getmany`. When its parser raises there, records of other partitions have been taken
out already and their positions moved, so those records are lost. It also moves a position past a batch that is larger
than the fetch size, without any error. Here the two classes with which its fetcher parses are replaced by two that
raise nothing and skip nothing (record_batches.py). It also requests the committed offset of each partition alone, which
`find_positions` replaces. `test_fetch_to_commit.py` and `test_kafka_clients.py` fail where a new version of aiokafka
changes what is relied on here.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any
from weakref import WeakSet

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition, client, conn
from aiokafka.consumer import fetcher
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.group import JoinGroupRequest, SyncGroupRequest

from shared.messaging.record_batches import (
    BatchError,
    Fetched,
    UnreadableRecord,
    is_complete,
    read_batch,
    unreadable,
    until,
)

#: The version whose internals were read; another one must be read before it is used.
AIOKAFKA = "0.14.0"
#: How long a rebalance waits for members that finish their batch.
REBALANCE_TIMEOUT_MS = 60_000
#: A coordinator answers these when the last member has joined, so their answers take so long and no other's does.
_JOINING, _JOINING_SECONDS = (JoinGroupRequest, SyncGroupRequest), REBALANCE_TIMEOUT_MS / 1000 + 5


class FetchedBytes:
    """The bytes that a fetch returned for one partition; replaces aiokafka's MemoryRecords."""

    def __init__(self, data: bytes | None) -> None:
        self.data = data or b""

    def size_in_bytes(self) -> int:
        return len(self.data)

    def has_next(self) -> bool:
        """Whether there is anything to parse, also an incomplete batch, which becomes a dead letter."""
        return bool(self.data)


class FetchedRecords:
    """An iterator over the records of one partition; replaces aiokafka's PartitionRecords.

    `next_fetch_offset` moves with the records that were handed out and never further.
    """

    def __init__(
        self,
        tp: TopicPartition,
        records: FetchedBytes,
        aborted_transactions: Any,
        fetch_offset: int,
        key_deserializer: Any,
        value_deserializer: Any,
        check_crcs: bool,
        isolation_level: int,
    ) -> None:
        del aborted_transactions, key_deserializer, value_deserializer, check_crcs, isolation_level
        self.next_fetch_offset = fetch_offset
        self._records = self._read(tp, records.data)

    def __iter__(self) -> "FetchedRecords":
        return self

    def __next__(self) -> Fetched:
        record = next(self._records)
        self.next_fetch_offset = until(record)
        return record

    def _read(self, place: TopicPartition, data: bytes) -> Iterator[Fetched]:
        view, position = memoryview(data), 0
        while position < len(view):
            whole = is_complete(view, position)
            if not whole and position:
                return  # a broker cuts the last batch off; the next fetch begins with it
            end = position + 12 + int.from_bytes(view[position + 8 : position + 12], "big") if whole else len(view)
            try:
                for record in read_batch(place, view[position:end], self.next_fetch_offset):
                    whole = whole and not isinstance(record, UnreadableRecord)
                    yield record
            except Exception as error:  # noqa: BLE001 - a fault of our own parser loses nothing either
                broken = BatchError("parser_failed", type(error).__name__)
                at = self.next_fetch_offset
                yield unreadable(place, at, at + 1, bytes(view[position:end]), broken)
                whole = False
            if not whole:
                return  # its length is not trusted: the broker says where the next batch begins
            position = end


def install() -> None:
    """Replace classes and a method of aiokafka's fetcher, and methods of its client and connections, by our own."""
    fetcher.MemoryRecords = FetchedBytes
    fetcher.PartitionRecords = FetchedRecords
    fetcher.Fetcher._update_fetch_positions = find_positions  # noqa: SLF001 - see the module's docstring
    client.create_conn = create_connection
    client.AIOKafkaClient.bootstrap = bootstrap
    client.AIOKafkaClient.close = close
    client.AIOKafkaClient._get_conn = get_connection  # noqa: SLF001 - see the module's docstring
    conn.AIOKafkaConnection.send = send


async def find_positions(self: Any, assignment: Any, node_id: int, places: Sequence[TopicPartition]) -> Any:
    """Find where to begin as `Fetcher` does, but request the committed offsets of all partitions together.

    aiokafka requests them of one partition after the other: 200 requests after each rebalance of a service with so
    many, which took 2 to 8 s on a busy machine, and nothing was fetched meanwhile.
    """
    new = [state for state in map(assignment.state_value, places) if _without_position(state)]
    try:
        committed = await asyncio.gather(*(state.fetch_committed() for state in new))
    except asyncio.CancelledError:
        return False
    for state, offset in zip(new, committed, strict=True):
        if not _without_position(state):
            continue  # it was set meanwhile
        if offset.offset != fetcher.UNKNOWN_OFFSET:
            state.reset_to(offset.offset)
        elif self._default_reset_strategy != fetcher.OffsetResetStrategy.NONE:
            state.await_reset(self._default_reset_strategy)
    return await _find_positions(self, assignment, node_id, places)


def _without_position(state: Any) -> bool:
    return not (state.has_valid_position or state.awaiting_reset)


def assignment_of(consumer: AIOKafkaConsumer) -> object | None:
    """The present assignment: another object after every rebalance, None before the first."""
    subscription = consumer._subscription.subscription  # noqa: SLF001 - see the module's docstring
    return None if subscription is None else subscription.assignment


def positions(consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
    """The next offset that would be handed out, of each assigned partition that has one."""
    assignment: Any = assignment_of(consumer)
    if assignment is None or not assignment.active:
        return {}
    states = {place: assignment.state_value(place) for place in assignment.tps}
    return {place: state.position for place, state in states.items() if state.has_valid_position}


def ended_task(consumer: AIOKafkaConsumer) -> str | None:
    """The name of a background task of aiokafka's that has ended although the consumer runs, or None."""
    tasks: dict[str, Any] = {
        "fetching": consumer._fetcher and consumer._fetcher._fetch_task,  # noqa: SLF001 - as above
        "coordination": getattr(consumer._coordinator, "_coordination_task", None),  # noqa: SLF001 - as above
    }
    return next((name for name, task in tasks.items() if isinstance(task, asyncio.Task) and task.done()), None)


def sender_has_ended(producer: AIOKafkaProducer) -> bool:
    """Whether the task that sends for a producer has ended; every later send raises."""
    task = producer._sender.sender_task  # noqa: SLF001 - as above
    return task is not None and task.done()


def refused_topics(consumer: AIOKafkaConsumer) -> set[str]:
    """Topics that the brokers' metadata refuse to this user."""
    return set(consumer._client.cluster.unauthorized_topics)  # noqa: SLF001 - as above


async def read_metadata(consumer: AIOKafkaConsumer, topics: Iterable[str]) -> None:
    """Read the metadata of these topics by one request.

    A consumer that is asked for the offsets of unknown topics reads those of one topic after the other, each a tenth
    of a second after the one before.
    """
    await consumer._client.set_topics(list(topics))  # noqa: SLF001 - see the module's docstring


async def hang_up(consumer: AIOKafkaConsumer) -> None:
    """Close what aiokafka's `stop` leaves open: it ends at the first request of the fetcher that it cancels."""
    requests = tuple(consumer._fetcher._pending_tasks) if consumer._fetcher else ()  # noqa: SLF001 - as above
    for request in requests:
        request.cancel()
    await asyncio.gather(*requests, return_exceptions=True)
    await consumer._client.close()  # noqa: SLF001 - as above


_opened: ContextVar[WeakSet[Any] | None] = ContextVar("connections opened by a bootstrap", default=None)


async def create_connection(*args: Any, **options: Any) -> Any:
    """Open a connection as `create_conn` of aiokafka does, and note it for `bootstrap`."""
    connection = await conn.create_conn(*args, **options)
    if (opened := _opened.get()) is not None:
        opened.add(connection)
    return connection


async def bootstrap(self: Any) -> None:
    """Bootstrap as `AIOKafkaClient` does, which leaves its connection open when it is cancelled in the middle."""
    opened = WeakSet[Any]()
    _closed.discard(self)
    token = _opened.set(opened)
    try:
        await _bootstrap(self)
    except BaseException:
        for connection in opened:
            connection.close()
        raise
    finally:
        _opened.reset(token)


_closed = WeakSet[Any]()


async def close(self: Any) -> None:
    """Close as `AIOKafkaClient` does, and remember it for `get_connection`."""
    _closed.add(self)
    await _close(self)


async def get_connection(self: Any, node_id: int, **options: Any) -> Any:
    """A connection to a broker, or None; one that was being opened while the client was closed would stay open."""
    connection = await _get_connection(self, node_id, **options)
    if connection is not None and self in _closed:
        connection.close()
        return None
    return connection


def send(self: Any, request: Any, expect_response: bool = True) -> Any:
    """Send as `AIOKafkaConnection` does, which expects OSError where the connection is lost.

    uvloop raises RuntimeError for one that is just being closed. It ended whichever task was sending: the producer's,
    the fetcher's, or the one that keeps the metadata, whose end nobody sees.
    """
    usual = self._request_timeout
    if isinstance(request, _JOINING):
        self._request_timeout = _JOINING_SECONDS
    try:
        return _send(self, request, expect_response)
    except RuntimeError as error:
        self.close(reason=conn.CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"the connection was being closed: {error}") from error
    finally:
        self._request_timeout = usual


_bootstrap, _close = client.AIOKafkaClient.bootstrap, client.AIOKafkaClient.close
_send = conn.AIOKafkaConnection.send
_get_connection = client.AIOKafkaClient._get_conn  # noqa: SLF001 - see the module's docstring
_find_positions = fetcher.Fetcher._update_fetch_positions  # noqa: SLF001 - as above
install()
