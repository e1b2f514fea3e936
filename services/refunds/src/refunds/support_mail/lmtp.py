"""Takes mails from the shop's own mail server by LMTP (RFC 2033): each recipient of a mail gets a reply of its own.

Whoever may connect may write what our server vouches for into a mail (`Authentication-Results`), so only the networks
of `clients` are served. A reply of 2xx follows the commit; after 4xx the server hands the mail in again.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv6Address, ip_address
from typing import Any, Final

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from refunds.settings import LmtpListener
from refunds.support_mail.metrics import MailMetrics
from refunds.support_mail.rules.reading import LARGEST_MAIL
from refunds.support_mail.service import Arrived, SupportMail
from shared.database import Database
from shared.supervision import Loop
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
WAY: Final = "lmtp"
#: Large mails that are read at once; each is in memory.
_AT_ONCE = 2
_MOST_RECIPIENTS = 100
_IDLE_SECONDS = 300
_STEP_SECONDS = 10.0
_TAKEN = "250 2.0.0 taken"
_AGAIN = "451 4.3.0 not stored; hand it in again"
_UNKNOWN = "550 5.1.1 no shop receives mail at this address"
_FOREIGN = "421 4.7.0 this address may not hand in mail"


class _Lmtp(LMTP):
    """aiosmtpd answers some faults of a mail once; here each recipient gets the reply (RFC 2033, 4.2)."""

    #: A line of a mail may be longer than the standard allows; the other ways in take such mails, too.
    line_length_limit = 2**20
    #: How many recipients the mail has that is being taken; 0: none is.
    _recipients = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Serve only the networks of the settings."""
        handler: LmtpReceiver = self.event_handler
        peer = transport.get_extra_info("peername")
        if not handler.serves(peer[0] if peer else ""):
            log.warning("lmtp_client_refused")
            if isinstance(transport, asyncio.Transport):
                transport.write(f"{_FOREIGN}\r\n".encode())
            transport.close()
            return
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """A refused connection was never made."""
        if self.transport is not None:
            super().connection_lost(error)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - the name is aiosmtpd's
        """Take a mail."""
        # The envelope is a new one when the reply is sent.
        self._recipients = 0 if self.envelope is None else len(self.envelope.rcpt_tos)
        try:
            await super().smtp_DATA(arg)
        finally:
            self._recipients = 0

    async def push(self, status: Any) -> None:
        """Send a reply; a single one about a mail once for each of its recipients."""
        text = status.decode() if isinstance(status, bytes) else status
        about_mail = self._recipients and not text.startswith(("354", "501", "503"))
        if about_mail and "\r\n" not in text:
            text = "\r\n".join([text] * self._recipients)
        await super().push(text)


class LmtpReceiver:
    """The handler of aiosmtpd, and the loop that listens."""

    def __init__(
        self,
        listener: LmtpListener,
        mail: SupportMail,
        shops_at: Callable[[], dict[str, str]],
        database: Database,
        metrics: MailMetrics,
    ) -> None:
        """`shops_at`: the shops now, by the addresses at which they receive mail, in lower case."""
        self._listener = listener
        self._mail = mail
        self._shops_at = shops_at
        self._database = database
        self._metrics = metrics
        self._reading = asyncio.Semaphore(_AT_ONCE)
        self._hostname = socket.gethostname()
        #: Where it listens; 0 before that.
        self.port = 0

    def serves(self, peer: str) -> bool:
        """Whether this address may hand in mail."""
        with contextlib.suppress(ValueError):
            address = ip_address(peer)
            mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
            return any((mapped or address) in network for network in self._listener.clients)
        return False

    async def run(self, loop: Loop) -> None:
        """Listen until cancelled."""
        # It would log senders and recipients.
        logging.getLogger("mail.log").setLevel(logging.ERROR)

        def protocol() -> SMTP:
            return _Lmtp(
                self,
                data_size_limit=LARGEST_MAIL,
                enable_SMTPUTF8=True,
                decode_data=False,
                hostname=self._hostname,
                ident="esim-fulfilment",
                timeout=_IDLE_SECONDS,
                loop=asyncio.get_running_loop(),
            )

        server = await asyncio.get_running_loop().create_server(protocol, self._listener.host, self._listener.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            await loop.repeat(self._step, _STEP_SECONDS, "lmtp_failed")
        finally:
            server.close()

    async def _step(self) -> None:
        """The server listens by itself."""

    async def handle_RCPT(  # noqa: N802 - as above
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Sequence[str]
    ) -> str:
        """Accept the addresses of shops."""
        if self._shop_of(address) is None:
            return _UNKNOWN
        if len(envelope.rcpt_tos) >= _MOST_RECIPIENTS:
            return f"452 4.5.3 at most {_MOST_RECIPIENTS} recipients"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(  # noqa: N802 - as above
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Take the mail for each recipient, and reply about each."""
        raw = bytes(envelope.original_content or b"")
        async with self._reading:
            return "\r\n".join([await self._take(address, raw) for address in envelope.rcpt_tos])

    async def _take(self, address: str, raw: bytes) -> str:
        storefront = self._shop_of(address)
        if storefront is None:  # the shops' folder has changed since RCPT
            return _UNKNOWN
        arrived = Arrived(storefront, WAY, raw)
        try:
            mail = await self._mail.read(arrived)
            async with self._database.transaction("support_mail") as tx:
                outcome: str = await self._mail.take(tx, arrived, mail, None)
        except Exception:  # of any class: what is not stored is handed in again
            self._metrics.mails.labels(storefront, "failed").inc()
            log.exception("support_mail_failed", storefront=storefront, way=WAY)
            return _AGAIN
        self._metrics.mails.labels(storefront, outcome).inc()
        return _TAKEN

    def _shop_of(self, address: str) -> str | None:
        """The shop that receives mail there. The tag of an answer to our mail (`+…`) does not count."""
        local, _, domain = address.lower().rpartition("@")
        shops = self._shops_at()
        return shops.get(f"{local}@{domain}") or shops.get(f"{local.partition('+')[0]}@{domain}")
