"""Reads the catalogue from a folder of TOML files, and reads it again when a file has changed.

The files are checked for changes when the catalogue is used, at most once a second. A change that cannot be read is
logged, and the last valid catalogue stays in force.
"""

import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ordering.catalogue.models import Catalogue, CatalogueError, catalogue_of
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
PACKAGED = Path(__file__).parent
_CHECK_SECONDS = 1.0
_TABLES = ("storefront", "plan")

Signature = tuple[tuple[str, int, int, int], ...]


class CatalogueFiles:
    """The catalogue in force. Raises CatalogueError when there is no valid one at the start."""

    def __init__(self, folder: Path | None = None, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder or PACKAGED
        self._timer = timer
        self._checked_at = timer()
        self._signature = _signature(self._folder)
        self._current = _load(self._folder)

    def current(self) -> Catalogue:
        """The catalogue in force, at most a second old."""
        if self._timer() - self._checked_at >= _CHECK_SECONDS:
            self._checked_at = self._timer()
            self._reload_if_changed()
        return self._current

    def _reload_if_changed(self) -> None:
        try:
            signature = _signature(self._folder)
            if signature == self._signature:
                return
            self._signature = signature  # also if it is refused below: one log line for each change
            self._current = _load(self._folder)
        except CatalogueError as error:
            log.error("catalogue_refused", reason=str(error), kept_plans=len(self._current.plans))  # noqa: TRY400 - the reason is complete
        else:
            log.info("catalogue_read", storefronts=len(self._current.storefronts), plans=len(self._current.plans))


def _signature(folder: Path) -> Signature:
    signature = []
    for path in _files(folder):
        try:
            stat = path.stat()
        except OSError:
            continue  # it is being replaced now; its replacement has another signature
        signature.append((path.name, stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return tuple(signature)


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
    return catalogue_of(entries["storefront"], entries["plan"])


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".toml")
    except OSError as error:
        raise CatalogueError(f"cannot read the folder: {error.strerror}") from None
