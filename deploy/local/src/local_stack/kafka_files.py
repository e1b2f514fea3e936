"""Kafka's jars, a formatted data directory and a class-data archive, made once per machine.

All three stand in the cache. The formatted directory saves a Java start per new broker, the archive
(AppCDS) halves the broker's own start.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from local_stack.errors import ComponentFailedError
from local_stack.java import identity, java
from local_stack.kafka_settings import SMALL, Listeners, server_properties, write_properties
from local_stack.kafka_wire import answers
from local_stack.locks import locked
from local_stack.maven import dependencies, download, pinned
from local_stack.paths import LOCAL, cache_dir
from local_stack.ports import free_ports
from local_stack.processes import ManagedProcess
from local_stack.programs import run
from local_stack.waiting import waiting

POM = LOCAL / "pom.xml"
LOG_CONFIGURATION = Path(__file__).with_name("log4j2.xml")
DOWNLOAD_TIMEOUT_SECONDS = 900.0
START_TIMEOUT_SECONDS = 60.0
TRAINING = 2
"""Raised when the training run loads other classes than before: a stack's archive is then made anew."""
TEMPLATE_CLUSTER_ID = "AAAAAAAAAAAAAAAAAAAAAQ"


@dataclass(frozen=True)
class KafkaFiles:
    """What a broker is started from."""

    libraries: Path
    template: Path
    archive: Path

    def command(self, flags: Sequence[str], main: str, *arguments: str) -> list[str]:
        """A Java command line that runs one of Kafka's programs."""
        jars = ":".join(str(jar) for jar in sorted(self.libraries.glob("*.jar")))
        logging = f"-Dlog4j2.configurationFile={LOG_CONFIGURATION}"
        return [java(), *flags, logging, "-cp", jars, main, *arguments]

    def archive_flags(self) -> list[str]:
        """Use the class-data archive when there is one that fits this Java."""
        usable = self.archive.exists() and self.archive.stat().st_size > 0
        return [f"-XX:SharedArchiveFile={self.archive}", "-Xlog:cds=off"] if usable else []


def kafka_files() -> KafkaFiles:
    """The files of the pinned Kafka, downloaded and prepared by the first caller; the rest wait for it.

    Blocks for up to a minute or two the first time (never call it on an event loop).
    Raises LocalStackError when Maven cannot fetch them, ComponentFailedError when this Kafka does not run.
    """
    base = cache_dir() / f"kafka-{pinned(POM, 'kafka')}-log4j-{pinned(POM, 'log4j')}"
    archive = base / f"kafka-{TRAINING}-{sha256(identity(java()).encode()).hexdigest()[:12]}.jsa"
    files = KafkaFiles(base / "libs", base / "template", archive)
    if files.libraries.exists() and files.template.exists() and files.archive.exists():
        return files
    with locked(base.with_name(f"{base.name}.lock"), DOWNLOAD_TIMEOUT_SECONDS):
        base.mkdir(parents=True, exist_ok=True)
        if not files.libraries.exists():
            _download(files.libraries)
        if not files.template.exists():
            with waiting("Preparing Kafka"):
                _format(files)
        if not files.archive.exists():
            with waiting("Starting Kafka once, to make its next starts faster"):
                _train(files)
    return files


def _download(libraries: Path) -> None:
    with tempfile.TemporaryDirectory(dir=libraries.parent) as scratch:
        draft = Path(scratch) / "libs"
        log = libraries.with_name("download.log")
        download("Kafka", dependencies(POM), draft, "kafka_*.jar", log=log, seconds=DOWNLOAD_TIMEOUT_SECONDS)
        draft.rename(libraries)


def _format(files: KafkaFiles) -> None:
    """Format an empty data directory once; new brokers start from a copy."""
    with tempfile.TemporaryDirectory(dir=files.template.parent) as scratch:
        data, properties = Path(scratch) / "data", Path(scratch) / "server.properties"
        write_properties(properties, server_properties(data, Listeners(1, 2), {}))
        command = files.command(
            SMALL.jvm_flags, "kafka.tools.StorageTool", "format", "-t", TEMPLATE_CLUSTER_ID, "-c", str(properties)
        )
        done = run(command)
        if done.returncode != 0:
            log = files.template.with_name("format.log")
            log.write_text(done.stdout)
            raise ComponentFailedError("Kafka's storage tool", f"exited ({done.returncode})", log)
        data.rename(files.template)


def _train(files: KafkaFiles) -> None:
    """Run a broker once and let Java archive the classes it loaded.

    Only speed depends on it: where it does not work, an empty file says not to try again.
    """
    with tempfile.TemporaryDirectory(dir=files.archive.parent) as scratch, suppress(ComponentFailedError):
        asyncio.run(_run_once(files, Path(scratch)))
    files.archive.touch()


async def _run_once(files: KafkaFiles, scratch: Path) -> None:
    shutil.copytree(files.template, scratch / "data")
    port, controller_port = free_ports(2)
    listeners = Listeners(port, controller_port, password="training")  # noqa: S106 - lives for a second
    write_properties(scratch / "server.properties", server_properties(scratch / "data", listeners, {}))
    draft = scratch / "kafka.jsa"
    flags = [*SMALL.jvm_flags, f"-XX:ArchiveClassesAtExit={draft}"]
    command = files.command(flags, "kafka.Kafka", str(scratch / "server.properties"))
    process = ManagedProcess("Kafka", command, log=files.archive.with_name("archive.log"))
    process.start()
    try:
        await process.wait_ready(lambda: answers(port), START_TIMEOUT_SECONDS)
    finally:
        await process.stop(START_TIMEOUT_SECONDS)
    if draft.exists():
        draft.rename(files.archive)
