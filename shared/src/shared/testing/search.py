"""Searches everything that the product keeps: rows, log segments, files; in every way in which text may be written.

Not searched: Postgres' own files. Its write-ahead logs and dead row versions are not data of ours; they go with
checkpoints and vacuum, and nobody reads them but Postgres.
"""

import base64
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
from aiokafka.record.memory_records import MemoryRecords
from psycopg import sql

_TABLES = """
SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2
"""
_SHORTEST = 6


class Needles:
    """What must not be found: each text in every form in which it may be written down."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._folded: set[bytes] = set()
        self._exact: set[bytes] = set()
        for text in texts:
            if len(text) < _SHORTEST:
                raise ValueError(f"{text!r} would be found by chance")
            for written in {text, text.lower(), text.upper(), text.title()}:
                self._folded |= {form.lower() for form in _forms(written)}
                self._exact |= set(_base64(written.encode()))

    def found(self, hay: bytes) -> bool:
        """Whether any of them is in there."""
        low = hay.lower()
        return any(form in low for form in self._folded) or any(form in hay for form in self._exact)


def _forms(text: str) -> Iterator[bytes]:
    plain = text.encode()
    yield plain
    yield plain.hex().encode()
    yield text.encode("utf-16-le")
    yield text.encode("utf-16-be")
    yield json.dumps(text)[1:-1].encode()
    yield quote(text, safe="").encode()


def _base64(plain: bytes) -> Iterator[bytes]:
    """The characters that are the same whatever stands around, for each of the three ways to begin."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + plain)
        inner = encoded[(0, 2, 3)[before] :]
        whole = inner[: len(inner) - (0, 3, 2)[(before + len(plain)) % 3]]
        yield whole
        yield whole.translate(bytes.maketrans(b"+/", b"-_"))


def _read(number: int, what: str) -> None:
    """A search that read nothing has found nothing out. Raises LookupError."""
    if not number:
        raise LookupError(f"no {what} were read")


def tables(url: str, needles: Needles) -> list[str]:
    """Tables of a database in which a needle is; as Postgres sends them in binary, so bytes are bytes."""
    found, seen = [], 0
    with psycopg.connect(url.replace("postgresql+psycopg://", "postgresql://"), autocommit=True) as connection:
        for schema, name in connection.execute(_TABLES).fetchall():
            copy = sql.SQL("COPY (SELECT * FROM {}) TO STDOUT (FORMAT binary)").format(sql.Identifier(schema, name))
            with connection.cursor().copy(copy) as rows:
                hits = sum(needles.found(bytes(row)) for row in rows)
            seen += 1
            if hits:
                found.append(f"{name}: {hits} rows")
    _read(seen, "tables")
    return found


def segments(data: Path, needles: Needles) -> list[str]:
    """Files of a broker in which a needle is, packed or unpacked: `topic-partition/file`."""
    found, batches = set(), 0
    for path in data.rglob("*"):
        try:
            content = path.read_bytes() if path.is_file() else b""
        except FileNotFoundError:  # the broker has just deleted it
            continue
        hits = needles.found(content)
        if ".log" in path.suffixes and path.parent.name != "__cluster_metadata-0":
            for batch in _batches(content):
                batches += 1
                hits = hits or any(map(needles.found, batch))
        if hits:
            found.add(f"{path.parent.name}/{path.name}")
    _read(batches, "records")
    return sorted(found)


def _batches(content: bytes) -> Iterator[list[bytes]]:
    """The records of each batch, unpacked: keys, values and headers in one."""
    records = MemoryRecords(content)
    while records.has_next():
        batch = records.next_batch()
        if batch is None:
            raise ValueError("a batch that has_next announced")
        yield [b"\n".join([one.key or b"", one.value or b"", repr(one.headers).encode()]) for one in batch]


def files(paths: Iterable[Path], needles: Needles) -> list[str]:
    """Files with a line in which a needle is."""
    found, lines = [], 0
    for path in paths:
        for line in path.read_bytes().splitlines():
            lines += 1
            if needles.found(line):
                found.append(f"{path.name}: {line[:300]!r}")
    _read(lines, "lines")
    return found
