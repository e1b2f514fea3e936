"""IMAP4rev1 (RFC 3501) with IDLE (RFC 2177), as far as a reader of one mailbox needs it, and faults."""

import asyncio
import re
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from sandbox.faults import FaultBook
from sandbox.imap.ledger import ImapLedger, Stored
from sandbox.settings import Settings

_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\([^)]*\))|(\S+)')
_CAPABILITIES = "IMAP4rev1 IDLE UIDPLUS"
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_UID_VALIDITY = 1


class _RefusedError(Exception):
    """A command is refused; the text is the reply."""


class Connection:
    """One reader. Commands are answered in turn; IDLE reports arrivals."""

    def __init__(self, server: "ImapServer", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._user: str | None = None
        self._selected: str | None = None
        self._arrived = asyncio.Event()

    async def serve(self) -> None:
        """Answer until the reader leaves, or a fault cuts the connection."""
        self._say(f"* OK [CAPABILITY {_CAPABILITIES}] sandbox ready")
        self._server.ledger.changed.append(self._tell)
        try:
            while line := await self._reader.readline():
                tag, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
                command, _, arguments = rest.partition(" ")
                if command.upper() == "UID":
                    command, _, arguments = arguments.partition(" ")
                if not await self._answer(tag, command.upper(), arguments):
                    return
                await self._writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, ValueError):
            pass  # the reader has hung up, or sent a line without end
        finally:
            self._server.ledger.changed.remove(self._tell)
            self._writer.close()

    async def _answer(self, tag: str, command: str, arguments: str) -> bool:
        """Answer one command; False: the connection ends."""
        effects = await self._faults(command)
        if "drop" in effects:
            return False
        try:
            await self._perform("REFUSED" if "refuse" in effects else command, arguments)
        except _RefusedError as refusal:
            self._say(f"{tag} {refusal}")
            return True
        if "lose_reply" in effects:
            return False
        self._say(f"{tag} OK done")
        return command != "LOGOUT"

    async def _perform(self, command: str, arguments: str) -> None:
        """Raises _RefusedError."""
        if command in {"FETCH", "SEARCH", "STORE", "IDLE"} and self._selected is None:
            raise _RefusedError("BAD select a mailbox first")
        if command == "REFUSED":
            raise _RefusedError("NO [UNAVAILABLE] try again later")
        if command == "IDLE":
            await self._idle()
            return
        commands: dict[str, Callable[[str], None]] = {
            "CAPABILITY": lambda _arguments: self._say(f"* CAPABILITY {_CAPABILITIES}"),
            "LOGIN": self._login,
            "SELECT": self._select,
            "SEARCH": self._search,
            "FETCH": self._fetch,
            "STORE": self._store,
            "LOGOUT": lambda _arguments: self._say("* BYE"),
            "NOOP": lambda _arguments: None,
            "CLOSE": lambda _arguments: None,
        }
        if command not in commands:
            raise _RefusedError("BAD unknown command")
        commands[command](arguments)

    async def _faults(self, command: str) -> set[str]:
        fields = {"mailbox": self._user or "", "command": command.lower()}
        rules = self._server.faults.take("imap", fields)
        await self._server.faults.pause(sum(rule.seconds for rule in rules if rule.effect in {"latency", "delay"}))
        return {rule.effect for rule in rules}

    def _login(self, arguments: str) -> None:
        user, password = [*_words(arguments), "", ""][:2]
        if password != self._server.password:
            raise _RefusedError("NO [AUTHENTICATIONFAILED] wrong login or password")
        self._user = user

    def _search(self, arguments: str) -> None:
        found = [message.uid for message in self._messages() if _matches(message, arguments)]
        self._say(" ".join(["* SEARCH", *map(str, found)]))

    def _select(self, _arguments: str) -> None:
        if self._user is None:
            raise _RefusedError("BAD log in first")
        self._selected = self._user
        self._say(r"* FLAGS (\Seen \Answered \Flagged \Deleted)")
        self._say(r"* OK [PERMANENTFLAGS (\Seen \Answered \Flagged \Deleted \*)] more may be made")
        self._say(f"* {len(self._messages())} EXISTS")
        self._say("* 0 RECENT")
        self._say(f"* OK [UIDVALIDITY {_UID_VALIDITY}]")

    def _fetch(self, arguments: str) -> None:
        uids, _, items = arguments.partition(" ")
        for number, message in enumerate(self._messages(), 1):
            if str(message.uid) not in uids.split(","):
                continue
            wanted, content = items.upper(), message.content
            parts = [f"UID {message.uid}", f"FLAGS ({' '.join(message.flags)})", f'INTERNALDATE "{_internal(message)}"']
            parts.append(f"RFC822.SIZE {len(content)}")
            literal = b""
            if "BODY.PEEK[" in wanted or "BODY[" in wanted:
                head = "[HEADER]" in wanted
                literal = content.partition(b"\n\n")[0] + b"\r\n\r\n" if head else content
                name = "BODY[HEADER]" if head else "BODY[]"
                parts.append(f"{name} {{{len(literal)}}}")
                if not head:
                    self._server.ledger.put(message.model_copy(update={"fetched": message.fetched + 1}))
            self._writer.write(f"* {number} FETCH ({' '.join(parts)}".encode())
            self._writer.write(b"\r\n" + literal + b")\r\n" if literal else b")\r\n")

    def _store(self, arguments: str) -> None:
        uids, how, flags = _words(arguments)[:3]
        named = flags.strip("()").split()
        for number, message in enumerate(self._messages(), 1):
            if str(message.uid) in uids.split(","):
                kept = [flag for flag in message.flags if flag not in named]
                changed = kept if how.startswith("-") else [*kept, *named]
                self._server.ledger.put(message.model_copy(update={"flags": changed}))
                if ".SILENT" not in how.upper():
                    self._say(f"* {number} FETCH (UID {message.uid} FLAGS ({' '.join(changed)}))")

    async def _idle(self) -> None:
        self._arrived.clear()
        self._say("+ idling")
        await self._writer.drain()
        done = asyncio.ensure_future(self._reader.readline())
        try:
            while not done.done():
                arrived = asyncio.ensure_future(self._arrived.wait())
                await asyncio.wait({done, arrived}, return_when=asyncio.FIRST_COMPLETED)
                arrived.cancel()
                if self._arrived.is_set():
                    self._arrived.clear()
                    self._say(f"* {len(self._messages())} EXISTS")
                    await self._writer.drain()
        finally:
            done.cancel()

    def _tell(self, mailbox: str) -> None:
        if mailbox == self._selected:
            self._arrived.set()

    def _messages(self) -> list[Stored]:
        return self._server.ledger.of(self._user or "")

    def _say(self, line: str) -> None:
        self._writer.write(f"{line}\r\n".encode())


class ImapServer:
    """The listening side. Every mailbox exists, and has the same password."""

    def __init__(self, settings: Settings, ledger: ImapLedger, faults: FaultBook) -> None:
        self.ledger = ledger
        self.faults = faults
        self.password = settings.imap_password
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self, listener: socket.socket) -> None:
        """Serve on a listening socket."""
        self._server = await asyncio.start_server(self._serve, sock=listener)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._open.add(task)
            task.add_done_callback(self._open.discard)
        await Connection(self, reader, writer).serve()

    async def stop(self) -> None:
        """Take no more connections and end those there are."""
        if self._server is None:
            return
        self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)


def _words(arguments: str) -> list[str]:
    """The arguments of a command; quotes are removed, a list in brackets is one word."""
    return [
        re.sub(r"\\(.)", r"\1", found[1]) if found[1] is not None else found[0] for found in _WORD.finditer(arguments)
    ]


def _matches(message: Stored, criteria: str) -> bool:
    """Whether a message fits the search. Raises _RefusedError at what the sandbox cannot search by."""
    words = iter(criteria.replace("(", "").replace(")", "").split())
    fits = True
    for word in words:
        match word.upper():
            case "ALL":
                pass  # every message fits
            case "UNSEEN":
                fits &= "\\Seen" not in message.flags
            case "UNKEYWORD":
                fits &= next(words) not in message.flags
            case "SINCE":
                fits &= _at(message).date() >= parsedate_to_datetime(f"{next(words).replace('-', ' ')} 00:00:00").date()
            case other:
                raise _RefusedError(f"BAD the sandbox cannot search by {other}")
    return fits


def _at(message: Stored) -> datetime:
    return datetime.fromisoformat(message.at).astimezone(UTC)


def _internal(message: Stored) -> str:
    at = _at(message)
    return f"{at.day:2d}-{_MONTHS[at.month - 1]}-{at.year} {at:%H:%M:%S} +0000"
