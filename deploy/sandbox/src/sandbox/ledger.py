"""A ledger keeps each entry as the JSON line it was last written as: reading 20,000 of them is one join."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

Entry = TypeVar("Entry", bound=BaseModel)


class CamelModel(BaseModel):
    """Fields are written in camelCase on the wire."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Journal:
    """An append-only JSONL file, or nothing at all. A line is in the kernel's hands when `append` returns."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def lines(self) -> Iterator[bytes]:
        """What earlier runs wrote. A last line cut short by a kill is left out, and cut off."""
        if self._path is None or not self._path.exists():
            return
        whole = 0
        with self._path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                whole += len(line)
                yield line[:-1]
        with self._path.open("rb+") as file:
            file.truncate(whole)

    def append(self, line: bytes) -> None:
        """Write one line."""
        if self._path is None:
            return
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("ab", buffering=0)
        self._file.write(line + b"\n")

    def clear(self) -> None:
        """Forget everything, on disk too."""
        self.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file; the next `append` opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None


class Ledger(Generic[Entry]):
    """Entries by key, each with the number of its last change; `since` reads only what changed after one."""

    def __init__(self, kind: type[Entry], journal: Journal, numbers: Iterator[int] | None = None) -> None:
        """`numbers`: shared with other ledgers, so that their changes have one order."""
        self._numbers = numbers or itertools.count(1)
        self._kind = kind
        self._journal = journal
        self._entries: dict[str, Entry] = {}
        self._lines: dict[str, tuple[int, bytes]] = {}
        self.seq = 0

    def load(self, key_of: str) -> None:
        """Read the journal; the last line of a key counts."""
        for line in self._journal.lines():
            entry = self._kind.model_validate_json(line)
            self._keep(str(getattr(entry, key_of)), entry, line)

    def put(self, key: str, entry: Entry) -> None:
        """Record an entry as it is now."""
        line = entry.model_dump_json(by_alias=True).encode()
        self._journal.append(line)
        self._keep(key, entry, line)

    def _keep(self, key: str, entry: Entry, line: bytes) -> None:
        self.seq = next(self._numbers)
        self._entries[key] = entry
        self._lines.pop(key, None)  # the changed one goes to the end, which keeps `since` a short walk
        self._lines[key] = (self.seq, line)

    def get(self, key: str) -> Entry | None:
        """The entry of that key, if there is one."""
        return self._entries.get(key)

    def __iter__(self) -> Iterator[Entry]:
        """All entries, in the order they first came."""
        return iter(self._entries.values())

    def __len__(self) -> int:
        """How many entries there are."""
        return len(self._entries)

    def since(self, seq: int) -> list[bytes]:
        """The JSON of every entry changed after that number, oldest change first."""
        return [line for _, line in self.changed(seq)]

    def changed(self, seq: int) -> list[tuple[int, bytes]]:
        """The same, each with its number."""
        found: list[tuple[int, bytes]] = []
        for changed, line in reversed(self._lines.values()):
            if changed <= seq:
                break
            found.append((changed, line))
        found.reverse()
        return found

    def clear(self) -> None:
        """Start again with an empty ledger; the numbers go on, so that a reader's `since` stays true."""
        self._entries.clear()
        self._lines.clear()
        self._journal.clear()

    def close(self) -> None:
        """Let go of the file."""
        self._journal.close()
