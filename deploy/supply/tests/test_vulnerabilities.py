"""Findings, acceptances that end, and the difference between "nothing known" and "nobody asked".

pip-audit itself asks a stand of OSV's query API on this machine.
"""

import datetime as dt
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from supply import vulnerabilities
from supply.images import WORK_TREE
from supply.policy import Accepted, Policy
from supply.vulnerabilities import Finding, UnreachableError

TODAY = dt.date(2026, 11, 21)
HASH = f"--hash=sha256:{'a' * 64}"
FOUND = Finding("jinja2", "3.1.0", ("PYSEC-1", "CVE-1"), ("3.1.6",))
ADVISORY = {
    "id": "PYSEC-1",
    "aliases": ["CVE-1"],
    "summary": "templates escape",
    "affected": [
        {
            "package": {"name": "jinja2", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.1.6"}]}],
        }
    ],
}


class Osv(BaseHTTPRequestHandler):
    """POST /: what is known of one version of one package."""

    def do_POST(self) -> None:
        requested = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name, status, body = requested["package"]["name"], 200, {}
        if (name, requested["version"]) == ("jinja2", "3.1.0"):
            body = {"vulns": [ADVISORY]}
        elif name == "trouble":
            status = 503
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def osv() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Osv)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


def lock(folder: Path, *names: str) -> Path:
    path = folder / "requirements.lock"
    path.write_text("".join(f"{name} {HASH}\n" for name in names))
    return path


def accepting(until: dt.date, *, about: str = "CVE-1") -> Policy:
    why = "we render no templates of others"
    return Policy(licences={}, accepted=[Accepted(id=about, package="jinja2", reason=why, until=until)])


def test_pip_audit_finds_what_osv_knows(osv: str, tmp_path: Path) -> None:
    assert vulnerabilities.ask(lock(tmp_path, "jinja2==3.1.0", "click==8.5.1"), url=osv) == [FOUND]
    assert vulnerabilities.ask(lock(tmp_path, "click==8.5.1"), url=osv) == []


def test_a_service_that_does_not_answer_is_not_a_clean_result(osv: str, tmp_path: Path) -> None:
    for url in (osv, "http://127.0.0.1:9/"):  # 503, and nobody there
        with pytest.raises(UnreachableError):
            vulnerabilities.ask(lock(tmp_path, "click==8.5.1", "trouble==1.0"), url=url)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "{}",
        '{"dependencies": []}',
        # What it says, with exit code 0, where a mirror of the index has packages but no advisories.
        '{"dependencies": [{"name": "jinja2", "skip_reason": "Dependency not found on PyPI"}]}',
    ],
)
def test_an_answer_about_nothing_is_not_a_clean_result(answer: str) -> None:
    with pytest.raises(UnreachableError):
        vulnerabilities.findings(answer, "")


def test_a_finding_names_the_images_and_the_cure() -> None:
    shipped = {("jinja2", "3.1.0"): ["refunds", "notifications"]}

    (problem,) = vulnerabilities.problems([FOUND], Policy(licences={}), shipped, TODAY)
    assert problem == "jinja2 3.1.0: PYSEC-1 = CVE-1; mended in 3.1.6 (in refunds, notifications)"

    (problem,) = vulnerabilities.problems([FOUND], Policy(licences={}), {}, TODAY)
    assert "a tool of development" in problem


def test_an_acceptance_holds_until_its_day() -> None:
    assert vulnerabilities.problems([FOUND], accepting(TODAY), {}, TODAY) == []
    assert vulnerabilities.expired(accepting(TODAY), TODAY) == []

    yesterday = accepting(TODAY - dt.timedelta(days=1))
    assert len(vulnerabilities.problems([FOUND], yesterday, {}, TODAY)) == 1
    (problem,) = vulnerabilities.expired(yesterday, TODAY)
    assert "CVE-1" in problem


def test_an_acceptance_of_something_else_does_not_count() -> None:
    finding, idle = vulnerabilities.problems([FOUND], accepting(TODAY, about="CVE-2"), {}, TODAY)

    assert "PYSEC-1" in finding
    assert "strike it" in idle


@pytest.mark.parametrize(("more", "code"), [(["--osv-url", "http://127.0.0.1:9/"], 2), (["--offline"], 0)])
def test_the_command_says_that_it_could_not_ask(more: list[str], code: int) -> None:
    done = subprocess.run(  # noqa: S603 - our own module and constants
        [sys.executable, "-m", "supply", "audit", *more], cwd=WORK_TREE, capture_output=True, text=True, check=False
    )

    assert (done.returncode, "NOT ASKED" in done.stdout + done.stderr) == (code, True), done.stderr
