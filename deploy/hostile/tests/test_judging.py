"""The run's judges see what must not be: each is shown a case."""

import json
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from hostile import values
from hostile.attacks.schemas import read
from hostile.findings import Findings
from hostile.judge import Judge
from hostile.sender import Sender
from hostile.target import Target
from local_stack.site import Site
from shared.kernel.http import HttpServer
from shared.messaging.access import KafkaAccess

KINDS = {
    "/broken": ["answer 500", "a refusal that is no problem document"],
    "/busy": [],
    "/away": ["answer 503"],
    "/plain": ["a refusal that is no problem document"],
    "/good": [],
    "/health/ready": ["unready"],
}


@pytest.fixture
async def url() -> AsyncIterator[str]:
    app = FastAPI()
    problem = "application/problem+json"
    answers = {
        "/broken": PlainTextResponse("oh", 500),
        "/busy": Response(b"{}", 503, {"Retry-After": "2"}, media_type=problem),
        "/away": Response(b"{}", 503, media_type=problem),
        "/plain": PlainTextResponse("no", 404),
        "/good": PlainTextResponse("yes"),
        "/health/ready": JSONResponse({"status": "not ready", "checks": {"kafka": "does not answer"}}, 503),
    }

    @app.post("/{path:path}")
    async def answer(path: str) -> Response:
        return answers[f"/{path}"]

    server = HttpServer(app, "127.0.0.1", 0)
    await server.start()
    yield f"http://127.0.0.1:{server.port}"
    await server.stop()


@pytest.mark.parametrize("path", KINDS)
async def test_an_entrance_judges_every_answer(url: str, path: str) -> None:
    findings = Findings()
    sender = Sender(findings)
    await sender.send("a test", "POST", url + path, content=b"the input", headers={"Authorization": "Bearer secret"})
    await sender.close()
    assert [finding.kind for finding in findings.kept] == KINDS[path]
    assert all("dGhlIGlucHV0" in finding.input and "secret" not in finding.input for finding in findings.kept)
    assert findings.tried["a test"] == 1


async def test_an_entrance_that_does_not_answer_is_a_finding() -> None:
    findings = Findings()
    sender = Sender(findings)
    await sender.send("a test", "GET", "http://127.0.0.1:9/")
    await sender.close()
    assert [finding.kind for finding in findings.kept] == ["no answer"]


def test_failures_of_an_exploration_are_findings(tmp_path: Path) -> None:
    report, findings = tmp_path / "report.json", Findings()
    failure = {"title": "Server error", "operation": "POST /orders"}
    report.write_text(json.dumps({"test_cases": {"generated": 7}, "failures": [failure], "errors": []}))
    read(findings, "OpenAPI of ordering", report, 1)
    assert findings.tried["OpenAPI of ordering"] == 7
    assert [finding.kind for finding in findings.kept] == ["failures: Server error"]
    read(findings, "OpenAPI of ordering", tmp_path / "none.json", 2)
    assert findings.kept[1].kind == "could not be explored"


def test_names_and_tracebacks_in_logs_are_findings(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "traces").mkdir()
    (tmp_path / "logs" / "ordering.log").write_text("fine\nZhanar Kanareika01 ordered\n")
    (tmp_path / "logs" / "payments.log").write_text("Traceback (most recent call last):\n  oh\n")
    (tmp_path / "logs" / "sandbox.log").write_text("kanareika01\n")
    (tmp_path / "traces" / "refunds.jsonl").write_text('{"name": "kanareika01"}\n')
    findings = Findings()
    Judge(Target(Site(tmp_path), lambda _user: KafkaAccess("127.0.0.1:9")), findings).read_logs("kanareika01")
    assert {(finding.kind, finding.input) for finding in findings.kept} == {
        ("personal data in a log", "ordering.log"),
        ("a traceback in a log", "payments.log"),
        ("personal data in a log", "refunds.jsonl"),
    }


def test_a_seed_repeats_its_input() -> None:
    def made(seed: int) -> list[str]:
        rng = random.Random(seed)  # noqa: S311 - a seed repeats its input
        return [repr(values.spoiled(rng, {"a": [1, {"b": "c"}]})) for _ in range(50)]

    assert made(1) == made(1) != made(2)
