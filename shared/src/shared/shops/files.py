"""The shops in force, read again when a file has changed.

The files are looked at when the shops are asked for, at most once a second, and with every reading of the metrics. A
change that is refused is logged once; the last good shops stay in force and `shops_folder_refused` is 1 until the
folder is good again.
"""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge

from shared.shops.checks import no_example_addresses
from shared.shops.faults import Fault, ShopsError
from shared.shops.models import Shop
from shared.shops.reading import Check, Shops, read_shops
from shared.shops.settings import ShopSettings
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
_CHECK_SECONDS = 1.0

Signature = tuple[tuple[str, int, int, int], ...]


class ShopFiles:
    """The shops in force. Raises ShopsError when there are no good ones at the start."""

    def __init__(
        self, folder: Path, checks: Sequence[Check] = (), *, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self._checks = checks
        self._timer = timer
        self._checked_at = timer()
        self._signature = _signature(folder)
        self._current = read_shops(folder, checks)
        self.faults: tuple[Fault, ...] = ()

    @classmethod
    def of(cls, settings: ShopSettings, checks: Sequence[Check] = ()) -> "ShopFiles":
        """The folder that the settings name. In production addresses of examples are refused. Raises ShopsError."""
        production = [no_example_addresses] if settings.environment == "production" else []
        return cls(settings.shops_dir, [*checks, *production])

    def current(self) -> Shops:
        """The shops in force by slug, at most a second old."""
        if self._timer() - self._checked_at >= _CHECK_SECONDS:
            self._checked_at = self._timer()
            self._reload_if_changed()
        return self._current

    def shop(self, slug: str) -> Shop | None:
        """The shop of this name, or None."""
        return self.current().get(slug)

    def measure(self, registry: CollectorRegistry) -> None:
        """Show whether the folder is refused. It is looked at whenever the metric is read."""
        gauge = Gauge("shops_folder_refused", "1: the shops' folder is refused, older files count", registry=registry)
        gauge.set_function(self._refused)

    def _refused(self) -> float:
        self.current()
        return float(bool(self.faults))

    def _reload_if_changed(self) -> None:
        signature = _signature(self._folder)
        if signature == self._signature:
            return
        self._signature = signature  # also if it is refused below: one log line for each change
        try:
            self._current = read_shops(self._folder, self._checks)
        except ShopsError as error:
            self.faults = error.faults
            log.error("shops_refused", faults=[str(fault) for fault in error.faults], kept=sorted(self._current))  # noqa: TRY400 - the reasons are complete
        else:
            self.faults = ()
            log.info("shops_read", shops=sorted(self._current))


def _signature(folder: Path) -> Signature:
    """Names, inodes, sizes and times of all files; links are followed, since volumes are exchanged by their links."""
    found = []
    for place, _, names in os.walk(folder, followlinks=True):
        for name in names:
            path = os.path.join(place, name)  # noqa: PTH118 - a walk of many files; Path costs several times as much
            try:
                stat = os.stat(path)  # noqa: PTH116 - as above
            except OSError:
                continue  # it is being replaced now; its replacement has another signature
            found.append((path, stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return tuple(sorted(found))
