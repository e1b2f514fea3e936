"""The SMTP server: aiosmtpd with a reader that takes a message in few pieces, and faults (RFC 5321)."""

import asyncio
import re
import socket
from dataclasses import dataclass
from typing import cast
from weakref import WeakSet

from aiosmtpd.smtp import SMTP, Envelope, Session, syntax

from sandbox.faults import FaultBook, Rule
from sandbox.mail.bounce import Bouncer
from sandbox.mail.replies import cut, refusal, say
from sandbox.mail.store import MailStore

SIZE_LIMIT = 32 * 1024 * 1024
_CLOSE_AGAIN_SECONDS = 0.05
_LAST_LINE = b".\r\n"
_END = b"\r\n.\r\n"
_STUFFED = re.compile(rb"(?m)^\.")


class CatcherProtocol(SMTP):
    """aiosmtpd's protocol; DATA is read up to its end mark instead of line by line, which is 3 times faster."""

    line_length_limit = SIZE_LIMIT

    async def push(self, status: str) -> None:  # type: ignore[override] # aiosmtpd's takes bytes too, and is given none
        """Send a reply; an empty one has been sent already, or never comes."""
        if status:
            await super().push(status)

    @syntax("DATA")
    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name for it
        """RFC 5321 §4.1.1.4. A handler that answers nothing has cut the connection."""
        if await self.check_helo_needed():
            return
        envelope = cast("Envelope", self.envelope)
        if not envelope.rcpt_tos:
            await self.push("503 Error: need RCPT command")
            return
        if arg:
            await self.push("501 Syntax: DATA")
            return
        if await self.event_handler.handle_begin(self, envelope):
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        try:
            envelope.content = await self._message()
        except asyncio.LimitOverrunError:
            await self.push("552 Error: Too much mail data")
            self._writer.close()
            return
        status = await self._call_handler_hook("DATA")
        self._set_post_data_state()  # type: ignore[no-untyped-call] # aiosmtpd types it not
        if status:
            await self.push(status)

    async def _message(self) -> bytes:
        read = bytearray()
        while not (read.endswith(_END) or read == _LAST_LINE):
            read += await self._reader.readuntil(_LAST_LINE)
        del read[-len(_LAST_LINE) :]
        content = bytes(read)
        stuffed = content.startswith(b".") or b"\n." in content
        return _STUFFED.sub(b"", content) if stuffed else content


@dataclass  # no slots: aiosmtpd inspects its handler, which early 3.11 releases cannot bear
class CatcherHandler:
    """Takes every mail for every mailbox, except as the fault book says."""

    store: MailStore
    faults: FaultBook
    bouncer: Bouncer

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name for it
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """A mailbox is named; this is where one is refused."""
        fields = {"to": address, "from": envelope.mail_from}
        for rule in self.faults.take("mail", fields, stage="rcpt"):
            if rule.effect == "raw_reply":
                await say(self.faults, server, rule)
                return ""
            answer = refusal(rule)
            self.store.refuse(address, answer)
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_begin(self, server: SMTP, envelope: Envelope) -> bool:
        """The message is about to come; True where DATA has been answered, or the connection is gone."""
        for rule in self.faults.take("mail", {"to": envelope.rcpt_tos, "from": envelope.mail_from}, stage="begin"):
            if rule.effect == "raw_reply":
                await say(self.faults, server, rule)
            elif rule.effect == "refuse":
                await server.push(refusal(rule))
            else:
                await server.push("354 End data with <CR><LF>.<CR><LF>")
                cut(server, b"")
            return True
        return False

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name for it
        self, server: CatcherProtocol, _session: Session, envelope: Envelope
    ) -> str:
        """A message is complete."""
        rules = self.faults.take("mail", {"to": envelope.rcpt_tos, "from": envelope.mail_from}, stage="data")
        if not rules:
            return self._accept(envelope)
        return await self._play(server, envelope, rules)

    def _accept(self, envelope: Envelope) -> str:
        content = envelope.content
        raw = content if isinstance(content, bytes) else str(content or "").encode()
        entry = self.store.add(envelope.mail_from or "", list(envelope.rcpt_tos), raw)
        return f"250 OK queued as {entry.id}"

    async def _play(self, server: CatcherProtocol, envelope: Envelope, rules: tuple[Rule, ...]) -> str:
        await self.faults.pause(sum(rule.seconds for rule in rules if rule.effect == "latency"))
        struck = next((rule for rule in rules if rule.effect not in {"latency", "delay"}), None)
        effect = struck.effect if struck else ""
        answer = ""
        if struck is not None and effect == "refuse":
            answer = refusal(struck)
            for recipient in envelope.rcpt_tos:
                self.store.refuse(recipient, answer)
        elif struck is not None and effect == "raw_reply":
            await say(self.faults, server, struck)
        elif effect != "drop":
            answer = self._accept(envelope)
        if struck is not None and effect == "bounce":
            content = envelope.content if isinstance(envelope.content, bytes) else b""
            for recipient in envelope.rcpt_tos:
                self.bouncer.bounce(envelope.mail_from or "", recipient, content, struck)
        if struck is not None and effect == "duplicate":
            for _ in range(struck.count - 1):
                self._accept(envelope)
        await self.faults.pause(sum(rule.seconds for rule in rules if rule.effect == "delay"))
        if effect in {"drop", "lose_reply", "partial_body"}:
            cut(server, b"25" if effect == "partial_body" else b"")
            return ""
        return answer


class SmtpServer:
    """The listening side."""

    def __init__(self, handler: CatcherHandler) -> None:
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._connections: WeakSet[CatcherProtocol] = WeakSet()

    async def start(self, listener: socket.socket) -> None:
        """Serve on a listening socket."""
        loop = asyncio.get_running_loop()

        def connection() -> CatcherProtocol:
            protocol = CatcherProtocol(
                self._handler, hostname="mail.sandbox.example", ident="ESMTP", enable_SMTPUTF8=True, loop=loop
            )
            self._connections.add(protocol)
            return protocol

        self._server = await loop.create_server(connection, sock=listener, backlog=512)

    @property
    def serving(self) -> bool:
        """Whether mails are taken."""
        return self._server is not None and self._server.is_serving()

    async def stop(self) -> None:
        """Take no more connections and end those there are."""
        if self._server is None:
            return
        self._server.close()
        closed = asyncio.ensure_future(self._server.wait_closed())
        # Repeated, because a connection that was accepted just now has no transport yet. From Python 3.12 on
        # `wait_closed` waits for every connection.
        while not closed.done():
            for protocol in list(self._connections):
                if protocol.transport is not None:
                    protocol.transport.close()
            await asyncio.wait({closed}, timeout=_CLOSE_AGAIN_SECONDS)
