"""Zipkin's jar, fetched once per machine."""

import tempfile
from pathlib import Path

from local_stack.locks import locked
from local_stack.maven import dependencies, download, pinned
from local_stack.paths import LOCAL, cache_dir

POM = LOCAL / "zipkin" / "pom.xml"
DOWNLOAD_TIMEOUT_SECONDS = 600.0


def zipkin_jar() -> Path:
    """The pinned Zipkin, downloaded by the first caller (130 MB); the rest wait for it.

    Never call it on an event loop. Raises LocalStackError when Maven cannot fetch it.
    """
    jar = cache_dir() / f"zipkin-{pinned(POM, 'zipkin')}" / "zipkin.jar"
    if jar.exists():
        return jar
    with locked(jar.parent.with_name(f"{jar.parent.name}.lock"), DOWNLOAD_TIMEOUT_SECONDS):
        if not jar.exists():
            jar.parent.mkdir(parents=True, exist_ok=True)
            _download(jar)
    return jar


def _download(jar: Path) -> None:
    with tempfile.TemporaryDirectory(dir=jar.parent) as scratch:
        log = jar.with_name("download.log")
        seconds = DOWNLOAD_TIMEOUT_SECONDS
        found = download("Zipkin", dependencies(POM), Path(scratch), "zipkin-server-*.jar", log=log, seconds=seconds)
        found[0].rename(jar)
