"""A whole stack: Kafka, Postgres, the sandbox and the five services, as children of this process."""

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from local_stack.access import read_access
from local_stack.component import RunningComponent
from local_stack.errors import AlreadyRunningError, LocalStackError
from local_stack.infra import Infra
from local_stack.kafka import Kafka
from local_stack.kafka_cluster import KafkaCluster
from local_stack.kafka_login import ADMIN, KafkaLogin
from local_stack.kafka_settings import SMALL, BrokerProfile
from local_stack.locks import FileLock
from local_stack.paths import run_dir
from local_stack.postgres import Postgres
from local_stack.postgres_home import remove_data
from local_stack.postgres_pair import PostgresPair
from local_stack.product import AGENTS, PRODUCT, STOREFRONTS, Component
from local_stack.progress import Phase, Progress, progress_for_terminal
from local_stack.site import Site
from local_stack.status import STATUS_FILE

EVERY_COMPONENT = "*"
INFRASTRUCTURE = ("postgres", "kafka")
#: Where the servers' data lie in a stack's folder, a standby's too.
DATABASES = ("postgres", "postgres-2")


class Part(Protocol):
    """What can be done to anything in the stack, be it a broker or a service."""

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""

    @property
    def running(self) -> bool:
        """Whether its process exists."""

    async def start(self) -> None:
        """Start and wait until ready."""

    async def stop(self) -> None:
        """End in its own time."""

    def kill(self) -> None:
        """`kill -9`."""

    def pause(self) -> None:
        """Freeze."""

    def resume(self) -> None:
        """Let go on."""


class Stack:
    """`async with Stack("demo") as stack:` starts everything and stops it again; the data stays.

    `environment` adds variables per component (`"*"`: to all), `fresh` begins without the data of
    earlier runs, `components` and `directory` are for other products than ours (tests). `beneath`: see Postgres;
    `broker_settings` are laid over the broker's.
    """

    def __init__(  # noqa: PLR0913 - each is a fact of its own, optional and by name
        self,
        name: str,
        *,
        environment: Mapping[str, Mapping[str, str]] | None = None,
        profile: BrokerProfile = SMALL,
        fresh: bool = False,
        progress: Progress | None = None,
        components: Sequence[Component] = PRODUCT,
        directory: Path | None = None,
        beneath: Path | None = None,
        broker_settings: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.directory = directory or run_dir(name)
        self.components = tuple(components)
        self.parts: dict[str, Part] = {}
        self._environment = dict(environment or {})
        self._profile = profile
        self._fresh = fresh
        self._beneath = beneath
        self._broker_settings = broker_settings
        self._progress: Progress = progress or progress_for_terminal()
        #: Names of ports beyond those of one broker, one database server and the components.
        self.further_ports: tuple[str, ...] = ()
        self._lock = lock_of(self.directory)
        self._site = Site.load(self.directory)

    @property
    def state(self) -> Site:
        """Ports, keys and database URLs of this stack."""
        return self._site

    @property
    def bootstrap_servers(self) -> str:
        """What Kafka clients connect to."""
        return self._site.bootstrap_servers

    @property
    def kafka(self) -> KafkaLogin:
        """The brokers' admin, who may do everything."""
        return self._site.kafka_login(ADMIN)

    @property
    def names(self) -> list[str]:
        """Every part, in the order of starting."""
        return [*INFRASTRUCTURE, *(component.name for component in self.components)]

    def seen_by(self, _name: str) -> Site:
        """The site as a part sees it. A stack with proxies between its parts returns one with the proxies' ports."""
        return self._site

    def url(self, name: str) -> str:
        """The base URL of a service or the sandbox."""
        return self._site.url(name)

    def database_url(self, name: str) -> str:
        """The SQLAlchemy URL of a service's database."""
        return self._site.databases[name]

    def log(self, name: str) -> Path:
        """Where a part's output goes."""
        return self._site.log(name)

    async def up(self) -> None:
        """Start everything and wait until all of it is ready.

        Raises AlreadyRunningError when this stack runs already, ComponentFailedError when a part does not
        come up; then nothing of it is left running.
        """
        if not self._lock.try_acquire():
            text = f"the stack “{self.name}” is already running; `make down` stops what `make up` began"
            raise AlreadyRunningError(text)
        (self.directory / STATUS_FILE).unlink(missing_ok=True)  # of an earlier supervisor: not about us
        try:
            with self._progress:
                await self._start_all()
        except BaseException:
            self.kill_all()
            self._site.release_ports()
            self._lock.release()
            raise

    async def down(self) -> None:
        """Stop everything in the reverse order; what does not stop in time is killed."""
        try:
            with self._progress:
                await self._together(self.stop, [component.name for component in self.components if component.migrate])
                await self._together(self.stop, [c.name for c in reversed(self.components) if not c.migrate])
                await self._together(self.stop, list(reversed(INFRASTRUCTURE)))
        finally:
            self.kill_all()
            self._site.release_ports()
            self._lock.release()

    async def start(self, name: str) -> None:
        """Start a part that was stopped or killed, on the same port. Raises ComponentFailedError."""
        self._progress.report(name, Phase.STARTING)
        try:
            await self.parts[name].start()
        except LocalStackError:
            self._progress.report(name, Phase.FAILED)
            raise
        self._progress.report(name, Phase.READY)

    async def stop(self, name: str) -> None:
        """End a part in its own time; harmless for one that never ran."""
        if name in self.parts:
            self._progress.report(name, Phase.STOPPING)
            await self.parts[name].stop()
            self._progress.report(name, Phase.STOPPED)

    async def restart(self, name: str) -> None:
        """Stop and start a part."""
        await self.stop(name)
        await self.start(name)

    def kill(self, name: str) -> None:
        """`kill -9` a part."""
        self.parts[name].kill()

    def pause(self, name: str) -> None:
        """Freeze a part."""
        self.parts[name].pause()

    def resume(self, name: str) -> None:
        """Let a frozen part go on."""
        self.parts[name].resume()

    def kill_all(self) -> None:
        """`kill -9` everything that runs."""
        for name in reversed(list(self.parts)):
            self.parts[name].kill()

    async def __aenter__(self) -> Self:
        """Start everything."""
        await self.up()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything."""
        await self.down()

    async def _start_all(self) -> None:
        for name in self.names:
            self._progress.report(name, Phase.WAITING)
        if self._fresh:
            remove_stack_data(self.directory)
        _set_aside_logs(self.directory / "logs")
        self._prepare_site()
        infra = self._infrastructure()
        await self._together(self.start, list(INFRASTRUCTURE))
        with_database = [component.name for component in self.components if component.has_database]
        databases, _ = await asyncio.gather(
            infra.create_databases(with_database), infra.kafka.grant(read_access(), self._site.kafka_passwords)
        )
        self._site.databases, self._site.owner_databases = databases.services, databases.owners
        extras = [*(component.settings_of(self._site) for component in self.components), self._environment]
        for component in self.components:
            ours = [extra.get(name, {}) for extra in extras for name in (EVERY_COMPONENT, component.name)]
            overrides = {name: value for variables in ours for name, value in variables.items()}
            self.parts[component.name] = RunningComponent(component, self.seen_by(component.name), overrides)
        # Migrating creates a service's topics: all must exist before anyone subscribes to its neighbours'.
        await self._together(self._migrate, with_database)
        await self._together(self.start, [component.name for component in self.components])

    def _prepare_site(self) -> None:
        wanted: dict[str, int | None] = dict.fromkeys(["kafka", "kafka-controller", "postgres", *self.further_ports])
        for component in self.components:
            wanted |= {component.name: component.preferred_port, **dict(component.other_ports)}
        self._site.claim_ports(wanted)
        self._site.invent_secrets([c.name for c in self.components if c.has_database], STOREFRONTS, AGENTS)
        self._site.invent_kafka_passwords([ADMIN, *read_access().names])
        self._site.save()
        (self.directory / "traces").mkdir(exist_ok=True)

    def _infrastructure(self) -> Infra:
        kafka, postgres = self._kafka(), self._postgres()
        self.parts |= {"postgres": postgres, "kafka": kafka}
        return Infra(self.directory, kafka=kafka, postgres=postgres)

    def _kafka(self) -> Kafka | KafkaCluster:
        ports = self._site.ports
        return Kafka(
            self.directory / "kafka",
            port=ports["kafka"],
            controller_port=ports["kafka-controller"],
            advertised_port=self.seen_by("kafka").ports["kafka"],
            password=self._site.kafka_passwords[ADMIN],
            profile=self._profile,
            extra_settings=self._broker_settings,
            log=self.log("kafka"),
        )

    def _postgres(self) -> Postgres | PostgresPair:
        port = self._site.ports["postgres"]
        return Postgres(self.directory / "postgres", port=port, log=self.log("postgres"), beneath=self._beneath)

    async def _migrate(self, name: str) -> None:
        part = self.parts[name]
        if isinstance(part, RunningComponent) and part.component.migrate:
            self._progress.report(name, Phase.PREPARING)
            try:
                await part.migrate()
            except LocalStackError:
                self._progress.report(name, Phase.FAILED)
                raise

    @staticmethod
    async def _together(action: "Action", names: Sequence[str]) -> None:
        """Do the same to several parts at once; the first failure ends the others' waiting."""
        try:
            async with asyncio.TaskGroup() as group:
                for name in names:
                    group.create_task(action(name))
        except ExceptionGroup as failures:
            # Not `except*`: Python before 3.11.4 would wrap what is raised from it in a group again.
            raise failures.exceptions[0] from None


class Action(Protocol):
    """Something done to a part by name."""

    async def __call__(self, name: str, /) -> None:
        """Do it."""


def lock_of(directory: Path) -> FileLock:
    """Held by whoever runs the stack in that folder, as long as it lives. Outside the folder, which may be deleted."""
    return FileLock(directory.with_name(f".{directory.name}.lock"))


def _set_aside_logs(logs: Path) -> None:
    """The last run's logs become `*.log.1`, so that a failure's last lines are this run's."""
    for log in logs.glob("*.log"):
        if log.name != "supervisor.log":  # open already, and it has both runs' story
            log.replace(log.with_name(f"{log.name}.1"))


def remove_stack_data(directory: Path) -> None:
    """Delete what a stopped stack stored, but keep its ports and keys."""
    for folder in DATABASES:
        remove_data(directory / folder)
    for folder in ("kafka", "sandbox", "shop", "traces", "logs"):
        shutil.rmtree(directory / folder, ignore_errors=True)
