"""Folders in memory, for servers whose data ends with a test run.

Making a database makes hundreds of files: 0.02 s of a processor in memory, 0.2 s on the disk where it was measured.
"""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 - only private directories of our own are made in it
KAFKA_PREFIX = "esim-kafka-"
#: In each folder that lies elsewhere than its owner: the owner's path, so that it can be removed when that is gone.
OWNER_FILE = "belongs-to"
_RECORD = "in-memory"
#: Half a GiB was seen in use during a run of all tests; the rest is for whoever else is there.
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
    _remove_abandoned()
    owner.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=place, prefix=KAFKA_PREFIX))
    (made / OWNER_FILE).write_text(str(owner.resolve()))
    (owner / _RECORD).write_text(str(made))
    return made


def _remove_abandoned() -> None:
    """Delete folders whose owner no longer exists (a work tree that was removed by hand)."""
    for made in MEMORY.glob(f"{KAFKA_PREFIX}*"):
        with suppress(OSError):
            if not Path((made / OWNER_FILE).read_text()).exists():
                shutil.rmtree(made, ignore_errors=True)


def remove_kafka_directory(owner: Path) -> None:
    """Delete what `kafka_directory` made, if anything."""
    try:
        made = Path((owner / _RECORD).read_text())
    except FileNotFoundError:
        return
    if made.parent == MEMORY and made.name.startswith(KAFKA_PREFIX):
        shutil.rmtree(made, ignore_errors=True)
