"""A real Apache Kafka: one KRaft node as a child process."""

import asyncio
import base64
import re
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from local_stack.access import Access
from local_stack.errors import LocalStackError
from local_stack.kafka_files import KafkaFiles, kafka_files
from local_stack.kafka_login import ADMIN, KafkaLogin
from local_stack.kafka_rights import grant
from local_stack.kafka_settings import SMALL, BrokerProfile, Listeners, Node, server_properties, write_properties
from local_stack.kafka_wire import answers
from local_stack.ports import LOOPBACK, free_port
from local_stack.processes import ManagedProcess

START_TIMEOUT_SECONDS = 60.0
STOP_GRACE_SECONDS = 10.0


class Kafka:
    """One broker with its data in `directory`. It keeps port and data over stop, kill and restart.

    With a `password` it lets nobody in who cannot sign in, and the admin, whose password that is, says who may do what
    (`grant`). `open_port` is for tests: there nobody is asked. `advertised_port`: where a proxy stands before it.
    `node`: its place in a cluster (kafka_cluster.py).
    """

    #: On how many brokers a topic can be.
    replicas = 1

    def __init__(  # noqa: PLR0913 - each is a fact of its own; all but one are optional and by name
        self,
        directory: Path,
        *,
        port: int | None = None,
        controller_port: int | None = None,
        open_port: int | None = None,
        advertised_port: int | None = None,
        password: str | None = None,
        profile: BrokerProfile = SMALL,
        extra_settings: Mapping[str, str] | None = None,
        node: Node | None = None,
        log: Path | None = None,
    ) -> None:
        self.directory = directory
        self.port = port or free_port()
        self.controller_port = controller_port or free_port()
        self.open_port = open_port
        self._advertised_port = advertised_port
        self.log = log or directory / "kafka.log"
        self._password = password
        self._profile = profile
        self._extra_settings = dict(extra_settings or {})
        self._node = node
        self._process: ManagedProcess | None = None

    @property
    def bootstrap_servers(self) -> str:
        """What clients connect to, `host:port`."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def admin(self) -> KafkaLogin:
        """The super user. Raises LocalStackError for a broker that asks nobody."""
        if self._password is None:
            raise LocalStackError("this broker asks nobody who they are")
        return KafkaLogin(self.bootstrap_servers, ADMIN, self._password)

    @property
    def pid(self) -> int | None:
        """The broker's process id while it runs."""
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        """Whether the broker's process exists."""
        return self._process is not None and self._process.running

    async def start(self) -> None:
        """Start the broker and wait until it answers.

        Raises ComponentFailedError when it does not, LocalStackError when it cannot be downloaded.
        """
        if self.running:
            return
        if self._process is None:
            self._process = self._prepare(await asyncio.to_thread(kafka_files))
        self._process.start()
        await self._process.wait_ready(lambda: answers(self.port), START_TIMEOUT_SECONDS, port=self.port)

    async def grant(self, access: Access, passwords: Mapping[str, str], *, prefix: str = "") -> None:
        """Make these users, with these passwords and just these rights. Raises LocalStackError."""
        await asyncio.to_thread(grant, self.admin, access, passwords, prefix=prefix)

    async def stop(self) -> None:
        """End the broker in its own time (up to 10 s)."""
        if self._process:
            await self._process.stop(STOP_GRACE_SECONDS)

    def kill(self) -> None:
        """`kill -9`."""
        if self._process:
            self._process.kill()

    def pause(self) -> None:
        """Freeze the broker: connections stay open, nothing answers."""
        if self._process:
            self._process.pause()

    def resume(self) -> None:
        """Let a frozen broker go on."""
        if self._process:
            self._process.resume()

    async def restart(self) -> None:
        """Stop if it runs, and start again on the same port with the same data."""
        await self.stop()
        await self.start()

    def _prepare(self, files: KafkaFiles) -> ManagedProcess:
        data, properties = self.directory / "data", self.directory / "server.properties"
        listeners = Listeners(self.port, self.controller_port, self._password, self.open_port, self._advertised_port)
        settings = server_properties(data, listeners, self._extra_settings, self._node)
        write_properties(properties, settings)
        if not data.exists():
            _new_data(files, data, self._node)
        flags = [*self._profile.jvm_flags, *files.archive_flags()]
        return ManagedProcess("Kafka", files.command(flags, "kafka.Kafka", str(properties)), log=self.log)


def random_id() -> str:
    """An id as Kafka writes them: of a cluster, of a data directory."""
    return base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")


def _new_data(files: KafkaFiles, data: Path, node: Node | None) -> None:
    """A formatted data directory with a cluster id of its own, or of its node's cluster."""
    draft = data.with_name("data.new")
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(files.template, draft)
    ids = {"cluster.id": node.cluster if node else random_id()}
    if node is not None:
        ids |= {"node.id": str(node.number), "directory.id": random_id()}
    meta = draft / "meta.properties"
    meta.write_text(re.sub(r"(?m)^([a-z.]+)=.*$", lambda line: _with(line, ids), meta.read_text()))
    draft.rename(data)


def _with(line: re.Match[str], ids: Mapping[str, str]) -> str:
    return f"{line[1]}={ids[line[1]]}" if line[1] in ids else line[0]
