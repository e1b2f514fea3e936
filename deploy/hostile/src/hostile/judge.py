"""What must hold while hostile input comes in, and after it: ready, nothing waiting, no secrets or people in logs."""

import asyncio
import re
from dataclasses import dataclass, field
from typing import Any

import httpx

from hostile.findings import Findings
from hostile.target import Target

_LOOK_SECONDS = 2.0
#: A service may be busy for a moment, not for longer.
_UNREADY_LOOKS = 5
_SAMPLE = re.compile(
    r"^(consumer_lag_records|outbox_waiting|consumer_stalled\w*)(\{[^}]*\})? ([0-9.e+]+)$", re.MULTILINE
)
_TRACEBACK = "Traceback (most recent call last)"
_ATTACK = "the services"
#: Our own words about a failure are shorter.
_LONGEST_TEXT = 1_000
_PAGE = "200"


@dataclass
class Judge:
    """Looks from outside, and into logs and spans."""

    target: Target
    findings: Findings
    _unready: dict[str, int] = field(default_factory=dict)

    async def watch(self) -> None:
        """Until cancelled: a service that is not ready, look after look, is a finding."""
        async with httpx.AsyncClient(timeout=15, trust_env=False) as http:
            while True:
                for service in self.target.services:
                    problem = await _problem(http, self.target.site.url(service))
                    self._unready[service] = self._unready.get(service, 0) + 1 if problem else 0
                    if self._unready[service] == _UNREADY_LOOKS:
                        self.findings.found(_ATTACK, "not ready", service, problem)
                await asyncio.sleep(_LOOK_SECONDS)

    async def settle(self, seconds: float) -> None:
        """Ready, no lag, nothing in the outbox, within so long; then logs and dead letters are read."""
        async with httpx.AsyncClient(timeout=15, trust_env=False) as http:
            problems = dict.fromkeys(self.target.services, "not checked")
            try:
                async with asyncio.timeout(seconds):
                    while problems:
                        for service in list(problems):
                            url = self.target.site.url(service)
                            problems[service] = await _problem(http, url) or await _waiting(http, url)
                            if not problems[service]:
                                del problems[service]
                        await asyncio.sleep(1)
            except TimeoutError:
                for service, problem in problems.items():
                    self.findings.found(_ATTACK, "did not settle", service, problem)
            for service in self.target.services:
                await self._stored(http, service)

    def read_logs(self, mark: str) -> None:
        """Nobody's name in logs or spans, and no traceback."""
        folder = self.target.site.directory
        for path in sorted([*folder.glob("logs/*.log"), *folder.glob("traces/*.jsonl")]):
            text = path.read_text(encoding="utf-8", errors="replace")
            if path.stem != "sandbox" and mark in text.lower():
                line = next(line for line in text.splitlines() if mark in line.lower())
                self.findings.found(_ATTACK, "personal data in a log", path.name, line[:500])
            if _TRACEBACK in text and path.stem in self.target.services:
                after = text.partition(_TRACEBACK)[2][:1500]
                self.findings.found(_ATTACK, "a traceback in a log", path.name, after)

    async def _stored(self, http: httpx.AsyncClient, service: str) -> None:
        """Each dead letter has a reason, and no text that came from outside was stored as it came."""
        for item in await self._listed(http, service, "dead-letters", state="waiting"):
            self.findings.answered(f"dead letters of {service}", item.get("reason"))
            if not item.get("reason"):
                self.findings.found(_ATTACK, "a dead letter without a reason", service, str(item))
            if not _clean(item.get("detail")):
                self.findings.found(_ATTACK, "a dead letter's detail repeats what came", service, str(item))
        for item in await self._listed(http, service, "work", stuck="true"):
            if item.get("state") == "parked":
                self.findings.answered(f"work of {service}", f"{item['kind']} parked")
            if not _clean(item.get("last_error")):
                self.findings.found(_ATTACK, "an error repeats what came", service, str(item))

    async def _listed(self, http: httpx.AsyncClient, service: str, what: str, **filters: str) -> list[dict[str, Any]]:
        """All pages of one of the lists in the service's `/operations`."""
        url = f"{self.target.site.url(service)}/operations/{what}"
        headers = {"Authorization": f"Bearer {self.target.site.operations_keys['operator']}"}
        items: list[dict[str, Any]] = []
        after: str | None = None
        while True:
            params = {**filters, "limit": _PAGE, **({"after": after} if after else {})}
            response = await http.get(url, params=params, headers=headers)
            if not response.is_success:
                self.findings.found(_ATTACK, f"{what} not listed", service, response.text)
                return items
            body = response.json()
            items += body["items"]
            after = body.get("next")
            if not after:
                return items


def _clean(text: str | None) -> bool:
    return text is None or (text.isprintable() and len(text) <= _LONGEST_TEXT)


async def _problem(http: httpx.AsyncClient, url: str) -> str:
    try:
        response = await http.get(f"{url}/health/ready")
    except httpx.TransportError as error:
        return repr(error)
    return "" if response.is_success else response.text


async def _waiting(http: httpx.AsyncClient, url: str) -> str:
    """The samples of lag and outbox that are not zero."""
    try:
        text = (await http.get(f"{url}/metrics")).text
    except httpx.TransportError as error:
        return repr(error)
    return "; ".join("".join(sample.groups("")) for sample in _SAMPLE.finditer(text) if float(sample[3]) > 0)
