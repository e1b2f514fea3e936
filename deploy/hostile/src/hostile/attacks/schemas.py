"""Every operation of every service's OpenAPI document, by schemathesis: its cases at the edges, random and stateful."""

import asyncio
import json
import sys
from pathlib import Path
from typing import BinaryIO

from hostile.context import Context
from hostile.findings import Findings
from hostile.sender import PATIENCE_SECONDS

_ATTACK = "OpenAPI"
#: How long schemathesis may take to write its report after its time is up.
_GRACE_SECONDS = 60.0


async def explore(context: Context, service: str, seconds: float, folder: Path) -> None:
    """Let schemathesis loose on a service for so long, as each holder of a key; what it finds becomes findings."""
    keys = context.target.keys_of(service)
    for holder, key in keys.items():
        report = folder / f"{service}-{holder}.json"
        log = report.with_suffix(".log").open("wb")
        try:
            code = await _run(context, service, key, seconds / len(keys), report, log)
        finally:
            log.close()
        if code is None:
            context.findings.answered(f"{_ATTACK} of {service}", "cut off")
        else:
            read(context.findings, f"{_ATTACK} of {service}", report, code)


async def _run(context: Context, service: str, key: str, seconds: float, report: Path, log: BinaryIO) -> int | None:
    """The exit code, or None where it did not end in time."""
    url = f"{context.target.site.url(service)}/openapi.json"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "schemathesis.cli",
        "run",
        url,
        f"--header=Authorization: Bearer {key}",
        f"--max-time={max(1, round(seconds))}",
        f"--seed={context.rng.randrange(2**31)}",
        "--phases=coverage,fuzzing,stateful",
        "--checks=not_a_server_error",
        f"--max-response-time={PATIENCE_SECONDS}",
        f"--request-timeout={PATIENCE_SECONDS}",
        "--continue-on-failure",
        "--no-shrink",
        "--suppress-health-check=all",
        "--report=json",
        f"--report-json-path={report}",
        stdout=log,
        stderr=asyncio.subprocess.STDOUT,
        stdin=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(seconds + _GRACE_SECONDS):
            return await process.wait()
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def read(findings: Findings, name: str, report: Path, code: int) -> None:
    """Take what schemathesis reports (its JSON report, version 4): cases, failures, and faults of its own."""
    if not report.is_file():
        findings.found(name, "could not be explored", name, f"exit code {code}, no report")
        return
    body = json.loads(report.read_text(encoding="utf-8"))
    findings.tried[name] += int(body["test_cases"]["generated"])
    for kind in ("failures", "errors"):
        for failure in body[kind]:
            findings.found(
                name, f"{kind}: {failure.get('title') or failure.get('operation')}", json.dumps(failure), code
            )
