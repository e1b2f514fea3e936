"""Known vulnerabilities of what is locked, asked of OSV by pip-audit.

"Nothing is known" and "nobody could be asked" are two results here: pip-audit calls a package that its source does
not know "skipped" and ends well, and ends in the same way for a finding and for a network that is down.
"""

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from supply.policy import Accepted, Policy

_LIMIT = 600  # seconds for all questions together


class UnreachableError(RuntimeError):
    """The advisory service did not answer for every package: what is vulnerable is not known."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One advisory about one locked package."""

    package: str
    version: str
    ids: tuple[str, ...]
    """The advisory's own identifier first, then its aliases (CVE, GHSA, PYSEC)."""
    mended_in: tuple[str, ...]

    def accepted_by(self, accepted: Accepted) -> bool:
        """Whether an entry of the policy is about this finding."""
        return accepted.package == self.package and accepted.id in self.ids


def ask(lock: Path, *, url: str | None = None) -> list[Finding]:
    """Ask about everything in a lock file; at `url` instead of OSV's own address where one is given.

    Raises NotAskedError unless there was an answer about each package.
    """
    with TemporaryDirectory() as folder:
        command = [
            *(sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--disable-pip", "--require-hashes"),
            *("--vulnerability-service", "osv", "--format", "json", "--desc", "off", "--aliases", "on"),
            *("--progress-spinner", "off", "--cache-dir", folder, *(("--osv-url", url) if url else ())),
        ]
        try:
            done = subprocess.run(  # noqa: S603 - our own constants and paths
                command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=_LIMIT
            )
        except subprocess.TimeoutExpired as error:
            raise UnreachableError(f"the advisory service took longer than {_LIMIT} s") from error
    return findings(done.stdout, done.stderr)


def findings(report: str, complaint: str) -> list[Finding]:
    """Read pip-audit's JSON; its exit code says too little. Raises NotAskedError as `ask`."""
    try:
        packages: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError) as error:
        last = complaint.strip().splitlines()[-1:] or ["pip-audit said nothing"]
        raise UnreachableError(last[0]) from error
    skipped = [each["name"] for each in packages if "skip_reason" in each]
    if skipped or not packages:
        raise UnreachableError(
            f"no answer about {len(skipped)} of {len(packages)} packages ({', '.join(skipped[:5])} …)"
        )
    return [
        Finding(each["name"], each["version"], (known["id"], *sorted(known["aliases"])), tuple(known["fix_versions"]))
        for each in packages
        for known in each["vulns"]
    ]


def problems(
    found: Sequence[Finding], policy: Policy, shipped: Mapping[tuple[str, str], Sequence[str]], today: dt.date
) -> list[str]:
    """Findings that nobody has accepted, with the images concerned, and acceptances that are out of date or of use."""
    wrong = []
    for each in found:
        if not any(each.accepted_by(accepted) and accepted.until >= today for accepted in policy.accepted):
            images = ", ".join(shipped.get((each.package, each.version), ())) or "no image: a tool of development"
            mended = f"mended in {', '.join(each.mended_in)}" if each.mended_in else "no version mends it yet"
            wrong.append(f"{each.package} {each.version}: {' = '.join(each.ids)}; {mended} (in {images})")
    idle = [each for each in policy.accepted if not any(finding.accepted_by(each) for finding in found)]
    return wrong + [
        f"policy.toml accepts {each.id} of {each.package}, which no longer applies; strike it" for each in idle
    ]


def expired(policy: Policy, today: dt.date) -> list[str]:
    """Acceptances whose day has passed; found without asking anyone."""
    return [
        f"policy.toml: {each.id} of {each.package} was accepted until {each.until}; mend it or think again"
        for each in policy.accepted
        if each.until < today
    ]
