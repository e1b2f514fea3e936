"""Mails as they came: bytes on disk (or in memory), and a small index line for each."""

import re
from collections import Counter, deque
from collections.abc import Iterator
from email.header import decode_header, make_header
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel, Field

from sandbox.clock import now
from sandbox.ledger import Journal

_HEADER = {
    name: re.compile(rb"(?im)^" + name.encode() + rb":[ \t]*((?:[^\r\n]|\r?\n[ \t])*)")
    for name in ("message-id", "subject")
}


class MailEntry(BaseModel):
    """What the ledger keeps of a mail for ever."""

    id: int
    message_id: str
    sender: str = Field(alias="from")
    to: list[str]
    subject: str
    at: str
    size: int
    offset: int


class MailStore:
    """All mails, oldest first; ids count from 1 and are never used twice."""

    def __init__(self, data_dir: Path | None, memory_bytes: int) -> None:
        self._journal = Journal(data_dir / "mail.jsonl" if data_dir else None)
        self._raw_path = data_dir / "mail.raw" if data_dir else None
        self._raw: BinaryIO | None = None
        self._raw_end = 0
        self._memory: dict[int, bytes] = {}
        self._memory_used = 0
        self._memory_bytes = memory_bytes
        self._entries: list[MailEntry] = []
        self._lines: list[bytes] = []
        self._by_message_id: Counter[str] = Counter()
        self._next_id = 1
        self.refused: deque[tuple[str, str, str]] = deque(maxlen=100_000)

    def load(self) -> None:
        """Read what earlier runs wrote."""
        for line in self._journal.lines():
            self._remember(MailEntry.model_validate_json(line), line)
        if self._raw_path is not None and self._raw_path.exists():
            self._raw_end = self._raw_path.stat().st_size

    def add(self, sender: str, recipients: list[str], raw: bytes) -> MailEntry:
        """Keep one mail."""
        head = raw[: raw.find(b"\r\n\r\n") + 2] if b"\r\n\r\n" in raw else raw
        entry = MailEntry.model_construct(
            id=self._next_id,
            message_id=_header(head, "message-id"),
            sender=sender,
            to=recipients,
            subject=decoded(_header(head, "subject")),
            at=now(),
            size=len(raw),
            offset=self._raw_end,
        )
        self._keep(entry.id, raw)
        line = entry.model_dump_json(by_alias=True).encode()
        self._journal.append(line)
        self._remember(entry, line)
        return entry

    def refuse(self, recipient: str, answer: str) -> None:
        """Note that a mailbox was refused."""
        self.refused.append((recipient, answer, now()))

    def raw(self, identity: int) -> bytes | None:
        """The bytes of a mail; None when there is none, or its body has been let go."""
        entry = self.get(identity)
        if entry is None:
            return None
        if self._raw_path is None:
            return self._memory.get(identity)
        with self._raw_path.open("rb") as file:
            file.seek(entry.offset)
            return file.read(entry.size)

    def get(self, identity: int) -> MailEntry | None:
        """The index entry of a mail."""
        first = self._entries[0].id if self._entries else 0
        place = identity - first
        return self._entries[place] if self._entries and 0 <= place < len(self._entries) else None

    def newest_first(self, to: str = "") -> Iterator[MailEntry]:
        """Entries whose recipient contains the text, in whatever case."""
        wanted = to.lower()
        for entry in reversed(self._entries):
            if not wanted or any(wanted in recipient.lower() for recipient in entry.to):
                yield entry

    def after(self, identity: int, to: str = "") -> Iterator[MailEntry]:
        """Entries with a larger id, oldest first; the recipient must be the very one, in whatever case."""
        wanted = to.lower()
        first = self._entries[0].id if self._entries else 1
        for entry in islice(self._entries, max(0, identity + 1 - first), None):
            if not wanted or any(wanted == recipient.lower() for recipient in entry.to):
                yield entry

    def lines_since(self, identity: int) -> list[bytes]:
        """The index lines of all mails with a larger id."""
        first = self._entries[0].id if self._entries else 1
        return self._lines[max(0, identity + 1 - first) :]

    @property
    def last_id(self) -> int:
        """The largest id given so far."""
        return self._next_id - 1

    def counts(self) -> dict[str, int]:
        """How many mails, how many different Message-IDs, how many came again, how many were refused."""
        total = len(self._entries)
        different = len(self._by_message_id)
        return {
            "messages": total,
            "unique_message_ids": different,
            "repeated": total - different,
            "refused": len(self.refused),
        }

    def clear(self) -> None:
        """Empty all mailboxes; the ids go on."""
        self.close()
        self._journal.clear()
        if self._raw_path is not None:
            self._raw_path.unlink(missing_ok=True)
        self._raw_end = 0
        self._memory.clear()
        self._memory_used = 0
        self._entries.clear()
        self._lines.clear()
        self._by_message_id.clear()
        self.refused.clear()

    def close(self) -> None:
        """Let go of the files."""
        self._journal.close()
        if self._raw is not None:
            self._raw.close()
            self._raw = None

    def _remember(self, entry: MailEntry, line: bytes) -> None:
        self._entries.append(entry)
        self._lines.append(line)
        self._by_message_id[entry.message_id or f"without-{entry.id}"] += 1
        self._next_id = entry.id + 1

    def _keep(self, identity: int, raw: bytes) -> None:
        if self._raw_path is not None:
            if self._raw is None:
                self._raw_path.parent.mkdir(parents=True, exist_ok=True)
                self._raw = self._raw_path.open("ab", buffering=0)
            self._raw.write(raw)
            self._raw_end += len(raw)
            return
        self._memory[identity] = raw
        self._memory_used += len(raw)
        while self._memory_used > self._memory_bytes and len(self._memory) > 1:
            oldest = next(iter(self._memory))
            self._memory_used -= len(self._memory.pop(oldest))


def _header(head: bytes, name: str) -> str:
    found = _HEADER[name].search(head)
    return found.group(1).decode("utf-8", "replace").strip() if found else ""


def decoded(value: str) -> str:
    """A header's text without RFC 2047 encoding and folding."""
    if "=?" not in value and "\n" not in value:
        return value
    try:
        text = str(make_header(decode_header(value)))
    except (ValueError, LookupError, UnicodeError):
        text = value
    return " ".join(text.split())
