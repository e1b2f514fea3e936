"""Every operation of every service's OpenAPI document, by schemathesis: its cases at the edges, random and stateful."""

import asyncio
import json
import sys
from pathlib import Path

from hostile.context import Context
from hostile.door import PATIENCE_SECONDS

_ATTACK = "OpenAPI"
#: How long it may take to say what it found after its time is up.
_GRACE_SECONDS = 60.0


async def explore(context: Context, service: str, key: str, seconds: float, folder: Path) -> None:
    """Let schemathesis loose on a service for so long; what it finds becomes findings. `key`: who it comes as."""
    report = folder / f"{service}.json"
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
        stdout=(folder / f"{service}.log").open("wb"),
        stderr=asyncio.subprocess.STDOUT,
        stdin=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(seconds + _GRACE_SECONDS):
            code = await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
        context.findings.answered(f"{_ATTACK} of {service}", "cut off")
        return
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    _read(context, service, report, code)


def _read(context: Context, service: str, report: Path, code: int) -> None:
    name = f"{_ATTACK} of {service}"
    if not report.is_file():
        context.findings.found(name, "could not be explored", service, f"exit code {code}, no report")
        return
    body = json.loads(report.read_text(encoding="utf-8"))
    context.findings.tried[name] += int(body.get("summary", {}).get("test_cases", {}).get("total", 0))
    for failure in body.get("failures", []):
        context.findings.found(name, str(failure.get("title", "failure")), json.dumps(failure)[:3000], "see input")
