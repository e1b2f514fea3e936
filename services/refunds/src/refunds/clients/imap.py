"""A shop's mailbox at any provider, by IMAP (RFC 3501, IDLE: RFC 2177). Blocking: it is used in threads.

A mail that was taken gets the keyword TAKEN; where the provider keeps no keywords, it is marked as seen instead.
"""

import imaplib
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from imap_tools import BaseMailBox, MailBox, MailBoxUnencrypted
from imap_tools.errors import ImapToolsError

from refunds.settings import MailboxAccount

TAKEN = "EsimFulfilmentTaken"
_SEEN = "\\Seen"
_TIMEOUT_SECONDS = 20.0
_SIZE = re.compile(rb"RFC822\.SIZE (\d+)")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class MailboxUnavailableError(Exception):
    """The mailbox cannot be read now. The text names the kind of failure, and never the login."""


@dataclass(slots=True, frozen=True)
class Envelope:
    """A mail before it is fetched: its size in bytes, and when it arrived in the mailbox."""

    size: int
    received_at: datetime | None


class ImapMailbox:
    """One connection. Every method raises MailboxUnavailableError, after which the connection is closed."""

    def __init__(self, account: MailboxAccount) -> None:
        self._account = account
        self._box: BaseMailBox | None = None
        self._flag = TAKEN

    def connect(self) -> None:
        """Connect and open the folder, where that is not done yet."""
        if self._box is not None:
            return
        account = self._account
        with self._failing():
            if account.security == "tls":
                context = ssl.create_default_context()
                self._box = MailBox(account.host, account.port, timeout=_TIMEOUT_SECONDS, ssl_context=context)
            else:
                self._box = MailBoxUnencrypted(account.host, account.port, timeout=_TIMEOUT_SECONDS)
            self._box.login(account.username, account.password.get_secret_value(), initial_folder=account.folder)
            _, permanent = self._box.client.response("PERMANENTFLAGS")
            lasting = b" ".join(one for one in permanent if isinstance(one, bytes))
            self._flag = TAKEN if b"\\*" in lasting else _SEEN

    def untaken(self, since: date) -> list[int]:
        """The UIDs of the mails that arrived on this day or later and were not taken, the oldest first."""
        criterion = "UNSEEN" if self._flag == _SEEN else f"UNKEYWORD {TAKEN}"
        day = f"{since.day}-{_MONTHS[since.month - 1]}-{since.year}"
        data = self._uid("SEARCH", criterion, "SINCE", day)
        return sorted(int(uid) for line in data if isinstance(line, bytes) for uid in line.split())

    def envelope(self, uid: int) -> Envelope | None:
        """Size and arrival of a mail; None: it is not there any more."""
        lines = b" ".join(one for one in self._uid("FETCH", str(uid), "(RFC822.SIZE INTERNALDATE)") if _is_line(one))
        size = _SIZE.search(lines)
        if size is None:
            return None
        at = imaplib.Internaldate2tuple(lines)
        return Envelope(int(size[1]), None if at is None else datetime(*at[:6]).astimezone(UTC))

    def fetch(self, uid: int, *, head_only: bool) -> bytes | None:
        """The mail as it arrived, or its head; it stays unseen. None: it is not there any more."""
        part = "HEADER" if head_only else ""
        data = self._uid("FETCH", str(uid), f"(BODY.PEEK[{part}])")
        return next((one[1] for one in data if isinstance(one, tuple)), None)

    def mark_taken(self, uid: int) -> None:
        """Mark a mail, so that it is not read again."""
        self._uid("STORE", str(uid), "+FLAGS.SILENT", f"({self._flag})")

    def wait(self, seconds: float) -> None:
        """Wait until something changes in the folder, but no longer than so many seconds."""
        with self._failing():
            self._opened().idle.wait(timeout=seconds)

    def close(self) -> None:
        """Close the connection at once, also while another thread waits on it."""
        box, self._box = self._box, None
        if box is not None:
            with suppress(OSError):
                box.client.socket().shutdown(socket.SHUT_RDWR)
            with suppress(OSError, imaplib.IMAP4.error):
                box.client.shutdown()

    def _uid(self, command: str, *arguments: str) -> list[Any]:
        with self._failing():
            status, data = self._opened().client.uid(command, *arguments)
            if status != "OK":
                raise MailboxUnavailableError(f"{command} was answered {status}")
            return list(data)

    def _opened(self) -> BaseMailBox:
        if self._box is None:
            raise MailboxUnavailableError("there is no connection")
        return self._box

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except (imaplib.IMAP4.error, ImapToolsError, OSError, ValueError, MailboxUnavailableError) as error:
            self.close()
            known = error if isinstance(error, MailboxUnavailableError) else None
            raise known or MailboxUnavailableError(type(error).__name__) from None


def _is_line(one: object) -> bool:
    return isinstance(one, bytes)
