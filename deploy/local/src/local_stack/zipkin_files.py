"""Zipkin's jar, fetched once per machine."""

import re
import shutil
import tempfile
from pathlib import Path

from local_stack.errors import ComponentFailedError, LocalStackError
from local_stack.locks import locked
from local_stack.paths import LOCAL, cache_dir
from local_stack.programs import run

POM = LOCAL / "zipkin" / "pom.xml"
DOWNLOAD_TIMEOUT_SECONDS = 600.0


def zipkin_jar() -> Path:
    """The pinned Zipkin, downloaded by the first caller (130 MB); the rest wait for it.

    Never call it on an event loop. Raises LocalStackError when Maven cannot fetch it.
    """
    match = re.search(r"<zipkin\.version>([^<]+)<", POM.read_text(encoding="utf-8"))
    if match is None:
        raise LocalStackError(f"{POM} does not pin zipkin.version")
    jar = cache_dir() / f"zipkin-{match[1]}" / "zipkin.jar"
    if jar.exists():
        return jar
    with locked(jar.parent.with_name(f"{jar.parent.name}.lock"), DOWNLOAD_TIMEOUT_SECONDS):
        if not jar.exists():
            jar.parent.mkdir(parents=True, exist_ok=True)
            _download(jar)
    return jar


def _download(jar: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise LocalStackError("there is no Maven (mvn) to download Zipkin with; install the package `maven`")
    with tempfile.TemporaryDirectory(dir=jar.parent) as scratch:
        goal = "org.apache.maven.plugins:maven-dependency-plugin:copy-dependencies"
        command = [maven, "-B", "-q", "-f", str(POM), goal, "-DincludeScope=runtime", f"-DoutputDirectory={scratch}"]
        done = run(command, seconds=DOWNLOAD_TIMEOUT_SECONDS)
        log = jar.with_name("download.log")
        log.write_text(done.stdout, encoding="utf-8")
        fetched = list(Path(scratch).glob("zipkin-server-*.jar"))
        if done.returncode != 0 or len(fetched) != 1:
            raise ComponentFailedError("The download of Zipkin by Maven", "did not succeed", log)
        fetched[0].rename(jar)
