"""Reads the catalogue from a folder of TOML files, and reads it again when a file has changed.

Files are looked at when the catalogue is asked for, at most once a second. A change that cannot be read is refused
with a log line, and the last good catalogue stays in force.
"""

import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ordering.catalogue.models import Catalogue, CatalogueError, read
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
PACKAGED = Path(__file__).parent
_LOOK_SECONDS = 1.0
_TABLES = ("storefront", "plan")

Signature = tuple[tuple[str, int, int, int], ...]


class CatalogueFiles:
    """The catalogue in force. Raises CatalogueError when there is no good one to begin with."""

    def __init__(self, folder: Path | None = None, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder or PACKAGED
        self._timer = timer
        self._looked_at = timer()
        self._seen = _signature(self._folder)
        self._current = _load(self._folder)

    def current(self) -> Catalogue:
        """The catalogue as of the last second."""
        if self._timer() - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = self._timer()
            self._look()
        return self._current

    def _look(self) -> None:
        try:
            signature = _signature(self._folder)
            if signature == self._seen:
                return
            self._seen = signature  # also where it is refused below: one log line for one change
            self._current = _load(self._folder)
        except CatalogueError as error:
            log.error("catalogue_refused", reason=str(error), kept_plans=len(self._current.plans))  # noqa: TRY400 - the reason says all
        else:
            log.info("catalogue_read", storefronts=len(self._current.storefronts), plans=len(self._current.plans))


def _signature(folder: Path) -> Signature:
    found = []
    for path in _files(folder):
        try:
            stat = path.stat()
        except OSError:
            continue  # being replaced this very moment; what comes next has another signature
        found.append((path.name, stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return tuple(found)


def _load(folder: Path) -> Catalogue:
    entries: dict[str, list[dict[str, Any]]] = {table: [] for table in _TABLES}
    for path in _files(folder):
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise CatalogueError(f"{path.name}: {error}") from None
        for table, rows in content.items():
            if table not in entries or not isinstance(rows, list):
                raise CatalogueError(f"{path.name}: {table!r} is neither [[storefront]] nor [[plan]]")
            entries[table] += rows
    return read(entries["storefront"], entries["plan"])


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".toml")
    except OSError as error:
        raise CatalogueError(f"cannot read the folder: {error.strerror}") from None
