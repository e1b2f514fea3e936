"""Folders in memory, for servers whose data ends with a test run.

Making a database or a topic makes hundreds of files; in memory that costs a tenth of the processor's time.
"""

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 - only private directories of our own are made in it
KAFKA_PREFIX = "esim-kafka-"
_RECORD = "in-memory"
#: A whole run of all tests writes about 1 GiB; the rest is for whoever else is there.
_BYTES = 3 * 2**30


def memory() -> Path | None:
    """Where folders in memory are made; None where there is no such place, or too little room in it."""
    if not os.path.ismount(MEMORY) or not os.access(MEMORY, os.W_OK):
        return None
    room = os.statvfs(MEMORY)
    return MEMORY if room.f_bavail * room.f_frsize >= _BYTES else None


def kafka_directory(owner: Path) -> Path:
    """A new folder for a broker's data: in memory where that can be, else in `owner`, which records it."""
    place = memory()
    if place is None:
        return owner
    owner.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=place, prefix=KAFKA_PREFIX))
    (owner / _RECORD).write_text(str(made))
    return made


def remove_kafka_directory(owner: Path) -> None:
    """Delete what `kafka_directory` made, if anything."""
    try:
        made = Path((owner / _RECORD).read_text())
    except FileNotFoundError:
        return
    if made.parent == MEMORY and made.name.startswith(KAFKA_PREFIX):
        shutil.rmtree(made, ignore_errors=True)
